"""Reports on campaigns: their state, who did not get the mail and why, who may or may not have got it, and
what came back.

Whatever the size of the audience, a report has a few dozen rows, because the database groups the reasons. The
CSV has every delivery by name.
"""

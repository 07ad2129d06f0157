"""What the product costs beside what others cost: ``make bench``.

Every figure is a ratio of two things measured in turn, in one run on one machine, so that a busy machine
slows both alike. Milliseconds are this machine's, at this moment, and are shown only to give an idea.
"""

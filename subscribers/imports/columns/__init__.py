"""What the columns of a file of others mean: the details of a person, and whether they left.

Formats are told by their titles, and everything else is guessed by titles and cells.
"""

"""Read files of every supported kind as rows of cells.

Everything here only reads. Nothing is unpacked onto the disk, and the size a file claims is checked against a
limit before it is read.
"""

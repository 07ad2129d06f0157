"""Read files of any supported kind: detect the format and encoding, and map their columns to ours.

Everything here only reads. Guesses are shown before they are used, nothing is unpacked onto the disk, and the
size a file claims is checked against a limit before it is read.
"""

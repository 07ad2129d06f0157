"""Other people's files: what kind one is, in which letters, and which of its columns means what.

Everything here reads. Nothing is believed before it was shown, nothing is unpacked onto the disk, and what a
file claims about its own size is held against a limit before it is read.
"""

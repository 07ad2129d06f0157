"""Read files of every supported kind as rows of cells.

Everything here only reads, and raises :class:`subscribers.errors.ImportFileError` for a file that is damaged
or hostile. Nothing is unpacked onto the disk, and the size a file claims is checked against a limit before it
is read.
"""

"""Checks of an edition's source files, and the list of every check there is."""

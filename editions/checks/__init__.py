"""Checks of an edition's source files, and the list of them."""

"""Importing a list of partners, undoing an import, and taking the list away as a file."""

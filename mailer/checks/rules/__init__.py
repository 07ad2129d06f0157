"""The checks of a finished mail, by subject."""

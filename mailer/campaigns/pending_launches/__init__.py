"""Launches that a person can undo, and that a second person may have to confirm."""

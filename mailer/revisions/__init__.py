"""Saves the files of editions so that nothing is lost, and keeps their history."""

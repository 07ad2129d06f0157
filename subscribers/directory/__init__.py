"""Finds people and organisations on a list of any length, page by page."""

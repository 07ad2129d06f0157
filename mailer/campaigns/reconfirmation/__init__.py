"""Asks readers whether they still want the newsletter, and pauses those who do not answer."""

"""Segments: who gets what, in words and in numbers."""

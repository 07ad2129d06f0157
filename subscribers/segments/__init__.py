"""Segments: a small query language for choosing subscribers, translated into SQL and described in English."""

"""Compares texts by blocks of Markdown and by words, and merges two that come from one."""

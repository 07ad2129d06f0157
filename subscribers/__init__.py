"""Who gets it: the list, its segments, consent and preferences, import and export.

Import the modules themselves; this file stays empty so that ``import subscribers`` costs nothing.
"""

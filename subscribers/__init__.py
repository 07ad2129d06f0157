"""Who receives the newsletter: the list, its segments, consent and preferences, import and export.

Import the modules themselves. This file stays empty so that ``import subscribers`` costs nothing.
"""

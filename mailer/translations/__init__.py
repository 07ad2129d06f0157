"""How far the translations of an edition are, and what has changed in the originals since.

The files are the truth: a translation has the digest of its original in ``translated_from``. The database
keeps the text with that digest, so that a translator can be shown what has changed; without it, for files
that were only ever changed elsewhere, everything works but that.
"""

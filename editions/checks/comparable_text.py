"""What a reader takes for the same words."""

import unicodedata


def make_comparable(text: str) -> str:
    """``text`` for comparison: without capitals and without punctuation around it."""
    return unicodedata.normalize("NFKC", text).casefold().strip(" .,:;!?…»›>→()[]。！？：、")

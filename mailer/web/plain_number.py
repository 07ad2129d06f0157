"""The numbers in addresses and forms."""


def read_number(text: str, *, digits: int = 9) -> int | None:
    """Return the whole number that ``text`` is; None if it is none, or has more than ``digits``. Nine digits
    fit the number of a row in every database."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= digits
    return int(text) if is_number else None

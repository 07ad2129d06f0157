"""How figures are written on the pages of reports."""

_SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit, which belong on one line."""
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def format_number(number: int) -> str:
    """``1,204``"""
    return f"{number:,}"


def format_share(number: int, whole: int) -> str:
    """``number`` as a share of ``whole``: ``97.3 %``. Only nobody is ``0 %``, and only all are ``100 %``."""
    if whole <= 0:
        return ""
    percent = 100 * number / whole
    if number == 0 or number == whole:
        return f"{percent:.0f}{_SPACE}%"
    return f"{min(max(percent, 0.1), 99.9):.1f}{_SPACE}%"


def format_duration(seconds: float) -> str:
    """A duration in its two largest units: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}{_SPACE}s"
    rest = round(seconds)
    # The unit at which it begins may be reached only by rounding: 59.7 seconds are a minute.
    first = next(index for index, (_, size) in enumerate(_UNITS) if rest >= size)
    words = []
    for name, size in _UNITS[first : first + 2]:
        number, rest = divmod(rest, size)
        if number:
            words.append(f"{number}{_SPACE}{name}")
    return _SPACE.join(words)

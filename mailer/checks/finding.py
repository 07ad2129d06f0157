"""What a check says of one mail, before it is known how many mails say the same."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A fault of one mail. The catalogue knows the level of ``code``.

    ``message`` says what is wrong, why and what to do. Findings of several mails are one where ``code`` and
    ``key`` are the same; the message of the heaviest is shown. ``key`` is the message itself where none is
    given: one with a measure in it needs a key without.
    """

    code: str
    message: str
    key: str
    weight: float = 0


def finding(code: str, message: str, *, key: str | None = None, weight: float = 0) -> Finding:
    """A finding; give ``key`` and ``weight`` where the message holds a measure that differs between mails."""
    return Finding(code=code, message=message, key=message if key is None else key, weight=weight)


def excerpt(text: str, length: int = 40) -> str:
    """``text`` on one line in at most ``length`` characters, for quoting."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"

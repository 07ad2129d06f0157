"""The result of a check on one email, before results of several emails are merged."""

from dataclasses import dataclass

from mailer.checks.mail.place import Place


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem in one email. The registry has the level of ``code``.

    ``message`` states what is wrong, why and what to do. Findings of several emails are merged if ``code``
    and ``key`` are the same; the message of the heaviest is shown. ``key`` defaults to the message: give one
    if the message contains a measurement. ``places`` are where in the email it is, if it is somewhere.
    """

    code: str
    message: str
    key: str
    weight: float = 0
    places: tuple[Place, ...] = ()


def finding(
    code: str, message: str, *, key: str | None = None, weight: float = 0, place: Place | None = None
) -> Finding:
    """Make a finding; give ``key`` and ``weight`` if the message contains a measurement that differs between
    emails, and its ``place`` if the writer can find it by that."""
    return Finding(
        code=code,
        message=message,
        key=message if key is None else key,
        weight=weight,
        places=() if place is None else (place,),
    )


def excerpt(text: str, length: int = 40) -> str:
    """``text`` on one line, in at most ``length`` characters, for quoting."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"

"""What a check finds in a mail, and where."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place in an email: the slug of the ``story`` around it, empty outside all stories, and what was
    written there.

    ``texts`` are what readers see there, the most telling first; ``link`` is the address of a link.
    """

    story: str = ""
    texts: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class MailFinding:
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
) -> MailFinding:
    """Make a finding; give ``key`` and ``weight`` if the message contains a measurement that differs between
    emails, and its ``place`` if the writer can find it by that."""
    return MailFinding(
        code=code,
        message=message,
        key=message if key is None else key,
        weight=weight,
        places=() if place is None else (place,),
    )


def excerpt(text: str, length: int = 40) -> str:
    """Return ``text`` on one line, in at most ``length`` characters, for quoting."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"

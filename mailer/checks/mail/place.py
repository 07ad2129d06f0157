"""Where in an email something was found."""

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

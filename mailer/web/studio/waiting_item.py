"""Something that waits for somebody, as the first page shows it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WaitingItem:
    """What it is about, what is the matter, and the act that settles it, all in the language of the page.

    ``words`` say how many things there are, where there may be several; ``act`` is a verb with its object.
    ``path`` is below /studio, encoded for an address. ``waits_for`` names whom it waits for, if that is not
    the member who looks.
    """

    title: str
    words: str
    act: str
    path: str
    tone: str = "careful"
    detail: str = ""
    waits_for: str = ""

"""What waits for somebody: the items of the first page, and the sources that list them.

A group of screens offers a :class:`WaitingSource` of its own, and :mod:`mailer.web.studio.home` asks all of
them. A source is asked whenever the first page is opened, so it answers by an index, never by a scan.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage


@dataclass(frozen=True, kw_only=True)
class WaitingItem:
    """Something that waits: what it is about, what is the matter, and the act that settles it.

    ``words`` say how many things there are, where there may be several; ``act`` is a verb with its object.
    All words are translated. ``path`` is below /studio, encoded for an address. ``tone`` is that of its mark.
    ``waits_for`` names whom it waits for, if that is not the member who looks: what waits for others comes
    after what waits for them.
    """

    title: str
    words: str
    act: str
    path: str
    tone: str = "careful"
    detail: str = ""
    waits_for: str = ""


@dataclass(frozen=True, kw_only=True)
class WaitingSource:
    """A source of items. ``name`` is what the page calls it if it cannot be read, to be translated;
    ``permission`` is what a member must be allowed to do to be asked anything."""

    name: str
    permission: Permission
    list_items: Callable[[StudioPage], Iterator[WaitingItem]]

"""What the preview beside a story shows; its addresses can be kept and shared."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlencode

from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query

_USUAL_QUERY = PreviewQuery(show=ShownWindows.desktop)


class ShownPart(StrEnum):
    """How much of the edition is shown."""

    story = "story"
    """The story alone, or the letter."""

    edition = "edition"
    """The whole edition."""


@dataclass(frozen=True, kw_only=True)
class StoryView:
    """What to show: ``part`` of the edition, in the way of ``query``. ``version`` is the tag of a version of
    the edition, and comes before the reader of ``query``."""

    part: ShownPart = ShownPart.story
    version: str = ""
    query: PreviewQuery = field(default=_USUAL_QUERY)

    @property
    def is_whole(self) -> bool:
        return self.part is ShownPart.edition

    def encode(self) -> str:
        """The query that :func:`parse_view` reads as this view."""
        own = {"part": self.part.value, "version": self.version}
        return "&".join(filter(None, (urlencode({k: v for k, v in own.items() if v}), self.query.encode())))

    def change(self, **changes: object) -> str:
        """The query of this view with some of the fields of ``query`` changed."""
        return replace(self, query=replace(self.query, **changes)).encode()  # type: ignore[arg-type]


def parse_view(parameters: Mapping[str, str], *, usual: ShownPart = ShownPart.story) -> StoryView:
    """Parse the query of a preview; an unknown value becomes the usual one."""
    query = parse_query(parameters)
    if query.show is ShownWindows.both:
        query = replace(query, show=ShownWindows.desktop)
    part, version = parameters.get("part", ""), parameters.get("version", "")
    return StoryView(
        part=ShownPart(part) if part in ShownPart.__members__ else usual,
        version=version if version.isalnum() and len(version) <= 40 else "",
        query=query,
    )

"""The comments that wait for a member's answer."""

from collections.abc import Iterator

from mailer.comments.mentions import list_mentions
from mailer.comments.story_path import make_story_path
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_MAX_QUOTED = 120
_MAX_MENTIONS = 20


def _list_mentions(page: StudioPage) -> Iterator[WaitingItem]:
    """Comments that speak to them, which they have neither answered nor marked as read."""
    with page.state.read_session() as session:
        mentions = list_mentions(session, page.member, limit=_MAX_MENTIONS)
    translate = page.translator.translate
    for one in mentions:
        yield WaitingItem(
            title=_shorten(one.text),
            words=translate(gettext_noop("%(name)s wrote to you"), name=one.author),
            act=translate(gettext_noop("Answer the comment")),
            path=f"{make_story_path(one.edition, one.story)}#thread-{one.thread_id}",
            detail=f"{one.edition} · {one.story}" if one.story else one.edition,
        )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_QUOTED else f"{line[: _MAX_QUOTED - 1]}…"


WAITING_MENTIONS = WaitingSource(
    name=gettext_noop("Comments"), permission=Permission.read, list_items=_list_mentions
)

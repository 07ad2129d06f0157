"""The member's own files that wait to be imported, for the first page."""

from collections.abc import Iterator

from mailer.i18n import gettext_noop
from mailer.list_imports.import_files import list_waiting_files
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_SHOWN = 5


def _list_files(page: StudioPage) -> Iterator[WaitingItem]:
    """Files that the member has chosen, and neither imported nor discarded."""
    translate = page.translator.translate
    with page.state.read_session() as session:
        files = list_waiting_files(session, page.member.id, limit=_SHOWN)
    for number, name in files:
        yield WaitingItem(
            title=name,
            words=translate(gettext_noop("A file of yours waits to be imported")),
            act=translate(gettext_noop("See what it would change")),
            path=f"/imports/new/{number}",
        )


WAITING_FILES = WaitingSource(
    name=gettext_noop("Imports"), permission=Permission.change_partners, list_items=_list_files
)

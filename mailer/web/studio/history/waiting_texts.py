"""The texts of a member that wait for them, because they could not be saved."""

from collections.abc import Iterator
from urllib.parse import quote

from sqlmodel import col, select

from mailer.database.edition_models import UnsavedText
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_MAX_TEXTS = 20


def _list_unsaved_texts(page: StudioPage) -> Iterator[WaitingItem]:
    """Their own texts that are in no file, because it had changed or could not be written."""
    own = select(UnsavedText.edition, UnsavedText.story, UnsavedText.id).where(
        UnsavedText.member_id == page.member.id
    )
    with page.state.read_session() as session:
        rows = session.exec(own.order_by(col(UnsavedText.id).desc()).limit(_MAX_TEXTS)).all()
    translate = page.translator.translate
    for edition, story, number in rows:
        yield WaitingItem(
            title=story or edition,
            words=translate(gettext_noop("What you wrote is not in the file yet")),
            act=translate(gettext_noop("Put both texts together")),
            path=f"/editions/{quote(edition, safe='')}/conflicts/{number}",
            tone="wrong",
            detail=edition,
        )


WAITING_TEXTS = WaitingSource(
    name=gettext_noop("Texts that could not be saved"),
    permission=Permission.read,
    list_items=_list_unsaved_texts,
)

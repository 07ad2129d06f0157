"""The sign-ups that wait for a person, for the first page."""

from collections.abc import Iterator

from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource
from subscribers.consent.sign_ups import count_waiting_sign_ups


def _list_sign_ups(page: StudioPage) -> Iterator[WaitingItem]:
    with page.state.read_session() as session:
        number = count_waiting_sign_ups(session)
    if not number:
        return
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    yield WaitingItem(
        title=translate(gettext_noop("Sign-ups")),
        words=plural("%(num)s person wants to sign up", "%(num)s people want to sign up", number)
        % {"num": f"{number:,}"},
        act=plural("Decide about the sign-up", "Decide about the sign-ups", number),
        path="/sign-ups",
    )


WAITING_SIGN_UPS = WaitingSource(
    name=gettext_noop("Sign-ups"), permission=Permission.change_partners, list_items=_list_sign_ups
)

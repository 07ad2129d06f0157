"""What waits on the first page: an error in mailer.toml, for managers."""

from collections.abc import Iterator

from mailer.i18n import gettext_noop
from mailer.settings import SETTINGS_FILE
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_WORDS = gettext_noop("It has an error, so the settings from before are in use, and no campaign is taken up.")
_ACT = gettext_noop("See what is wrong")


def list_faults(page: StudioPage) -> Iterator[WaitingItem]:
    """The error in mailer.toml, as far as it was looked at."""
    if page.state.live.fault:
        translate = page.translator.translate
        yield WaitingItem(
            title=SETTINGS_FILE,
            words=translate(_WORDS),
            act=translate(_ACT),
            path="/settings",
            tone="wrong",
        )


WAITING_FAULT = WaitingSource(
    name=gettext_noop("the settings"), permission=Permission.manage, list_items=list_faults
)

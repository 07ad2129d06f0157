"""The words of the partners' pages for what the list and the ledger have as data."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.i18n import Translator, gettext_noop
from mailer.settings import Settings
from mailer.web.form_options import own_country_names
from subscribers.models import ConsentEvent

EVENT_WORDS: Mapping[ConsentEvent, str] = MappingProxyType(
    {
        ConsentEvent.imported: gettext_noop("Added by the team"),
        ConsentEvent.requested: gettext_noop("Signed up, to be confirmed"),
        ConsentEvent.subscribed: gettext_noop("Subscribed"),
        ConsentEvent.updated: gettext_noop("Details changed"),
        ConsentEvent.paused: gettext_noop("Mail paused"),
        ConsentEvent.resumed: gettext_noop("Pause ended"),
        ConsentEvent.unsubscribed: gettext_noop("Unsubscribed"),
        ConsentEvent.bounced: gettext_noop("Address found not to work"),
        ConsentEvent.complained: gettext_noop("Reported our mail as spam"),
        ConsentEvent.suppressed: gettext_noop("Blocked by the team"),
        ConsentEvent.unsuppressed: gettext_noop("No longer blocked"),
        ConsentEvent.erased: gettext_noop("Erased"),
        ConsentEvent.reconfirmed: gettext_noop("Said that they still want it"),
        ConsentEvent.merged: gettext_noop("Merged with another address of theirs"),
    }
)
"""What a consent record says has happened."""

SUPPRESSION_WORDS: Mapping[ConsentEvent, str] = MappingProxyType(
    {
        ConsentEvent.suppressed: gettext_noop(
            "The team blocked this address. No import and no form brings it back."
        ),
        ConsentEvent.bounced: gettext_noop("Mail to this address came back, so it gets no more."),
        ConsentEvent.complained: gettext_noop(
            "They reported our mail as spam. Only they can come back, by the link in a newsletter."
        ),
        ConsentEvent.unsubscribed: gettext_noop("They unsubscribed elsewhere. Only they can come back."),
        ConsentEvent.erased: gettext_noop("Somebody with this address was erased."),
    }
)
"""Why an address must not get mail."""


def name_country(translator: Translator, settings: Settings, code: str | None) -> str:
    """A country's name in the language of the page; "" without one."""
    return translator.name_country(code, own_country_names(settings)) if code else ""

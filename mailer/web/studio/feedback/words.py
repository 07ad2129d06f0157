"""What kinds of messages, their states and what followed from them are called in Studio."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mailer.database.feedback_models import Consequence, Evidence, FeedbackKind, FeedbackState
from mailer.i18n import gettext_noop

KIND_WORDS: Final[Mapping[FeedbackKind, str]] = MappingProxyType(
    {
        FeedbackKind.bounce: gettext_noop("Bounce"),
        FeedbackKind.complaint: gettext_noop("Complaint about spam"),
        FeedbackKind.auto_reply: gettext_noop("Automatic reply"),
        FeedbackKind.reply: gettext_noop("Reply"),
        FeedbackKind.leave: gettext_noop("Leaving by email"),
        FeedbackKind.other: gettext_noop("Not understood"),
        FeedbackKind.dmarc: gettext_noop("Report on senders (DMARC)"),
    }
)
"""What each kind of message is called."""

STATE_WORDS: Final[Mapping[FeedbackState, tuple[str, str]]] = MappingProxyType(
    {
        FeedbackState.recorded: (gettext_noop("Done"), "quiet"),
        FeedbackState.held: (gettext_noop("Waits for a judgement"), "careful"),
        FeedbackState.forwarding: (gettext_noop("Goes on to the team soon"), "careful"),
        FeedbackState.forwarded: (gettext_noop("Went on to the team"), "right"),
        FeedbackState.judged: (gettext_noop("Judged"), "right"),
    }
)
"""The words for each state, and the tone of its mark."""

CONSEQUENCE_WORDS: Final[Mapping[Consequence, str]] = MappingProxyType(
    {
        Consequence.recorded: gettext_noop("Nothing was changed"),
        Consequence.bounced: gettext_noop("Marked as bounced: gets no more mail"),
        Consequence.complained: gettext_noop("Marked as having complained: gets no more mail"),
        Consequence.unsubscribed: gettext_noop("Has left the list"),
        Consequence.alarm: gettext_noop("It is about you, the sender: nobody was removed"),
        Consequence.held: gettext_noop("Not believed without a person"),
        Consequence.unproven: gettext_noop("Nothing was sent that this could be about: nobody was removed"),
        Consequence.outdated: gettext_noop("The partner has done something since: nobody was removed"),
        Consequence.gone: gettext_noop("Had left before"),
    }
)
"""What followed for a partner."""

EVIDENCE_WORDS: Final[Mapping[Evidence, str]] = MappingProxyType(
    {
        Evidence.token: gettext_noop("found by our signed token"),
        Evidence.message_id: gettext_noop("found by the number of our message"),
        Evidence.address: gettext_noop("found by the address alone"),
        Evidence.person: gettext_noop("named by a person"),
        Evidence.refusal: gettext_noop("refused while it was being sent"),
        Evidence.nothing: gettext_noop("nobody was found"),
    }
)
"""How the partner of an event was found."""

UNKNOWN_PERSON: Final = gettext_noop("nobody on the list")

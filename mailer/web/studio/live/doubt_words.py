"""The words for how deliveries came to be in doubt, and for what has settled them."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.campaigns.report.doubts import DoubtCause, DoubtSettlement
from mailer.i18n import gettext_noop

CAUSE_WORDS: Mapping[DoubtCause, str] = MappingProxyType(
    {
        DoubtCause.silence: gettext_noop(
            "The whole message was sent. The mail server did not answer in time."
        ),
        DoubtCause.lost: gettext_noop(
            "The whole message was sent. The connection broke before the mail server answered."
        ),
        DoubtCause.unclear: gettext_noop(
            "The whole message was sent. The mail server’s answer says neither yes nor no."
        ),
        DoubtCause.interrupted: gettext_noop(
            "Our program stopped while it was sending the message. All of it may have been sent, or nothing."
        ),
        DoubtCause.unknown: gettext_noop("Whether the whole message was sent is not known."),
    }
)
SETTLEMENT_WORDS: Mapping[DoubtSettlement, str] = MappingProxyType(
    {
        DoubtSettlement.person: gettext_noop("Somebody of the team decided."),
        DoubtSettlement.log: gettext_noop("The relay’s log says so."),
        DoubtSettlement.proof: gettext_noop("What they did, or what came back, proves that they have it."),
        DoubtSettlement.rule: gettext_noop("The campaign’s settings say to send it again."),
        DoubtSettlement.reply: gettext_noop("The mail server answered later."),
        DoubtSettlement.other: "",
    }
)
"""A test demands that each has words; what is settled otherwise has only its technical details."""

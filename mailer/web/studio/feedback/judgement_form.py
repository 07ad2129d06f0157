"""The form for judging a message: what it can be taken for, and what follows from each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailer.i18n import Translator, gettext_noop
from mailer.reasons.reason import Reason
from mailer.web.forms import Form

OTHER_BOUNCE: Final = "bounce"
"""The choice for a bounce with another reason, which a second field names."""

_CHOICES: Final = (
    (
        "dead",
        gettext_noop("A bounce: the address does not exist"),
        gettext_noop("They are marked as bounced and get no more mail."),
    ),
    (
        OTHER_BOUNCE,
        gettext_noop("A bounce for another reason"),
        gettext_noop("The reason is recorded. An address that is dead gets no more mail."),
    ),
    (
        "complaint",
        gettext_noop("A complaint about spam"),
        gettext_noop("They are marked as having complained and get no more mail."),
    ),
    ("leave", gettext_noop("Somebody wants to leave"), gettext_noop("They are unsubscribed.")),
    (
        "reply",
        gettext_noop("Somebody wrote to you"),
        gettext_noop("It goes on, unchanged, to the address for replies."),
    ),
    (
        "auto-reply",
        gettext_noop("An automatic reply"),
        gettext_noop("It is recorded; nothing else follows."),
    ),
    ("ignore", gettext_noop("None of these"), gettext_noop("It is put away; nothing follows.")),
)

REASON_WORDS: Final = {
    Reason.full: gettext_noop("The mailbox is full"),
    Reason.over_quota: gettext_noop("Too much or too fast for now"),
    Reason.suspended: gettext_noop("The mailbox is disabled or unused"),
    Reason.no_such_host: gettext_noop("The domain does not exist"),
    Reason.has_moved: gettext_noop("The person has another address"),
    Reason.does_not_accept: gettext_noop("The domain accepts no mail at all"),
    Reason.unconfirmed: gettext_noop("Perhaps there is no such mailbox"),
    Reason.greylisted: gettext_noop("The server asked to try again later"),
    Reason.too_big: gettext_noop("The message was too large"),
    Reason.content: gettext_noop("Something in the message was refused"),
    Reason.spam: gettext_noop("The server took it for spam"),
    Reason.policy: gettext_noop("A rule of the server refused it"),
    Reason.authentication: gettext_noop("The server did not believe it was from you"),
    Reason.blocked: gettext_noop("The server refuses your address or network"),
    Reason.network: gettext_noop("Servers could not reach each other"),
    Reason.expired: gettext_noop("The server gave up after days"),
    Reason.other: gettext_noop("The server gave no clear reason"),
}
"""The reasons of a bounce, without that of a dead address and that of a complaint, which are choices."""

_NO_CHOICE = gettext_noop("Choose what the message is.")
_NO_REASON = gettext_noop("Choose the reason of the bounce.")


@dataclass(frozen=True, kw_only=True)
class JudgementForm:
    """What a member has chosen: ``choice`` and ``reason`` as the form has them, and the address of whom the
    message is about, where they named somebody."""

    choice: str = ""
    reason: str = ""
    subscriber: str = ""

    @property
    def word(self) -> str:
        """A word of :data:`mailer.feedback.review.JUDGEMENTS`; "" if the form is not complete."""
        if self.choice == OTHER_BOUNCE:
            return self.reason if self.reason in set(REASON_WORDS) else ""
        return self.choice if self.choice in {value for value, _, _ in _CHOICES} else ""

    def find_fault(self) -> tuple[str, str] | None:
        """The field that is not filled in, and what to say of it."""
        if self.word:
            return None
        return ("reason", _NO_REASON) if self.choice == OTHER_BOUNCE else ("judgement", _NO_CHOICE)


def read_judgement(form: Form) -> JudgementForm:
    """Read the form as it was sent."""
    choice, reason = form.get("judgement")[:32], form.get("reason")[:32]
    return JudgementForm(
        # Whoever names the reason of a bounce has said that it is one.
        choice=OTHER_BOUNCE if not choice and reason in set(REASON_WORDS) else choice,
        reason=reason,
        subscriber=form.get("subscriber").strip()[:320],
    )


def list_choices(translator: Translator) -> Sequence[tuple[str, str, str]]:
    """What a message can be taken for: the value, the label, and what follows."""
    return [
        (value, translator.translate(label), translator.translate(hint)) for value, label, hint in _CHOICES
    ]


def list_reasons(translator: Translator) -> Sequence[tuple[str, str]]:
    """The reasons of a bounce, as options."""
    return [(reason.value, translator.translate(words)) for reason, words in REASON_WORDS.items()]

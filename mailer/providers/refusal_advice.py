"""What a refusal means in plain words, and what to do about it: for people who know no SMTP."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from locales.phrase import Phrase, gettext_noop
from mailer.providers.provider_table import KnownRefusal, Provider, ProviderTable, load_providers
from mailer.reasons.reason import Fault, Reason
from mailer.reasons.reason_classifier import classify_refusal

_HOST = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z]{2,}", re.IGNORECASE)
_FIELD = re.compile(r"%\(provider\)s")
_SERVER = gettext_noop("the reader's server")
_SERVER_FIRST = gettext_noop("The reader's server")
_DOCTOR = gettext_noop("Run `mailer doctor` and publish the records it names.")
_RETRY = gettext_noop("You do not need to do anything: it is tried again.")
# By reason: what happened, with the place of the provider's name, and what to do.
_GENERAL: dict[Reason, tuple[str, str]] = {
    Reason.no_such_user: (
        gettext_noop("%(provider)s has no such address."),
        gettext_noop("You do not need to do anything: the address is removed."),
    ),
    Reason.no_such_host: (
        gettext_noop("The domain does not exist any more."),
        gettext_noop("Ask your partner for the new address."),
    ),
    Reason.has_moved: (
        gettext_noop("The person has moved to another address."),
        gettext_noop("Ask your partner for the new address."),
    ),
    Reason.does_not_accept: (
        gettext_noop("The domain takes no mail at all."),
        gettext_noop("Ask your partner for another address."),
    ),
    Reason.unconfirmed: (
        gettext_noop("%(provider)s may not know the address, but does not say so for certain."),
        gettext_noop("You do not need to do anything. If it goes on, the address is removed."),
    ),
    Reason.full: (
        gettext_noop("The reader's mailbox is full."),
        gettext_noop("You do not need to do anything: somebody who stays full for long is removed."),
    ),
    Reason.suspended: (
        gettext_noop("The mailbox is disabled or not used."),
        gettext_noop("You do not need to do anything: somebody whose mailbox stays closed is removed."),
    ),
    Reason.over_quota: (
        gettext_noop("%(provider)s has had too much mail for now."),
        _RETRY + " " + gettext_noop("If it goes on, set a lower rate in [provider_rates]."),
    ),
    Reason.greylisted: (
        gettext_noop("%(provider)s lets unknown senders wait."),
        _RETRY,
    ),
    Reason.too_big: (
        gettext_noop("The mail is too large for %(provider)s."),
        gettext_noop("Use fewer or smaller pictures, or the form digest."),
    ),
    Reason.content: (
        gettext_noop("%(provider)s refused something in the mail."),
        gettext_noop("Read its words, and run `mailer check`."),
    ),
    Reason.spam: (
        gettext_noop("%(provider)s took the mail for spam."),
        _DOCTOR + " " + gettext_noop("Ask readers there to add your address to their contacts."),
    ),
    Reason.policy: (
        gettext_noop("A rule of %(provider)s or of the reader's organisation refused the mail."),
        gettext_noop("Ask your partner to have their IT allow your address."),
    ),
    Reason.authentication: (gettext_noop("%(provider)s could not tell that the mail is from you."), _DOCTOR),
    Reason.blocked: (
        gettext_noop("%(provider)s has blocked your sending server or domain."),
        gettext_noop("Ask whoever runs the relay to have it taken off the list that the words name."),
    ),
    Reason.network: (gettext_noop("%(provider)s could not be reached."), _RETRY),
    Reason.expired: (
        gettext_noop("The mail was tried for days, and given up."),
        gettext_noop("Ask your partner whether their mail works."),
    ),
    Reason.other: (
        gettext_noop("%(provider)s gave no reason that we understand."),
        gettext_noop("You do not need to do anything. If it goes on, ask whoever runs the relay."),
    ),
    Reason.complaint: (
        gettext_noop("The reader reported the mail as spam."),
        gettext_noop("You do not need to do anything: they get no more."),
    ),
}
# Where the fault is not the usual one of the reason.
_BY_FAULT: dict[tuple[Reason, Fault], tuple[str, str]] = {
    (Reason.over_quota, Fault.reader): (
        gettext_noop("The reader gets too much mail for now, from everybody together."),
        _RETRY,
    ),
    (Reason.policy, Fault.provider): (
        gettext_noop("%(provider)s does not know the address as one of its own."),
        gettext_noop("Tell your partner that their mail is set up wrongly."),
    ),
    (Reason.policy, Fault.sender): (
        gettext_noop("%(provider)s does not accept your sender's address or mail."),
        _DOCTOR,
    ),
    (Reason.unconfirmed, Fault.sender): (
        gettext_noop("%(provider)s could not find your own domain."),
        _DOCTOR,
    ),
    (Reason.unconfirmed, Fault.provider): (
        gettext_noop("%(provider)s could not check whether the address exists."),
        _RETRY,
    ),
    (Reason.other, Fault.provider): (
        gettext_noop("%(provider)s has a fault of its own."),
        _RETRY,
    ),
}


@dataclass(frozen=True, kw_only=True)
class RefusalExplanation:
    """What a refusal means: ``provider`` is its name, or "" if the words do not tell."""

    provider: str
    reason: Reason
    fault: Fault
    means: str
    advice: str


def explain_refusal(words: str, *, host: str = "", command: str = "") -> RefusalExplanation:
    """Explain a server's ``words``; the arguments are those of :func:`classify_refusal`. Never raises."""
    reason, fault = classify_refusal(words, host=host, command=command)
    provider = _find_provider(words, host, load_providers())
    known = _find_known(words, provider) if provider else None
    means, advice = (known.means, known.advice) if known else _explain_generally(reason, fault, provider)
    return RefusalExplanation(
        provider=provider.name if provider else "",
        reason=reason,
        fault=fault,
        means=means,
        advice=advice,
    )


def _explain_generally(reason: Reason, fault: Fault, provider: Provider | None) -> tuple[str, str]:
    means, advice = _BY_FAULT.get((reason, fault), _GENERAL[reason])
    if not _FIELD.search(means):
        return means, advice
    nobody = _SERVER_FIRST if means.startswith("%") else _SERVER
    return Phrase(means, provider=provider.name if provider else Phrase(nobody)), advice


def _find_provider(words: str, host: str, table: ProviderTable) -> Provider | None:
    """Return the provider that a host in the words belongs to, or whose own mark is in them."""
    if found := table.find_provider_of_mx(_list_hosts(f"{host} {words}")):
        return found
    if "gsmtp" in words:
        return table.by_key.get("google")
    marked = [
        provider
        for provider in table.by_key.values()
        if any(_is_mark(code) and code in words for known in provider.refusals for code in known.codes)
    ]
    return marked[0] if len(marked) == 1 else None


def _list_hosts(words: str) -> Iterator[str]:
    """Yield the names in the words that may be hosts; those in an address of a page or a person are none."""
    for found in _HOST.finditer(words):
        before = words[: found.start()]
        if not before.endswith(("@", "/")):
            yield found[0]


def _is_mark(code: str) -> bool:
    """Return whether only one provider writes ``code``: one with letters, and no sentence."""
    return any(letter.isalpha() for letter in code) and " " not in code and len(code) > 4


def _find_known(words: str, provider: Provider) -> KnownRefusal | None:
    for known in provider.refusals:
        if any(_contains(words, code) for code in known.codes):
            return known
    return None


def _contains(words: str, code: str) -> bool:
    """Return whether ``code`` stands in the words, and is not the beginning or the end of a longer number."""
    return re.search(rf"(?<![0-9.]){re.escape(code)}(?![0-9])", words) is not None

"""Checks of alignment (RFC 9989 §4.4): whether SPF and DKIM speak for the domain that readers see."""

from __future__ import annotations

from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.dmarc_discovery import discover_dmarc
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity

_SUBJECT = "alignment"


def check_alignment(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Compare the return path's and the signature's domain with that of the From address.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    policy = discover_dmarc(identity.from_domain, lookups).policy
    text = policy.text if policy else ""
    by_spf = not identity.replaces_return_path and is_aligned(
        identity.return_domain, identity.from_domain, lookups, is_strict=_says_strict(text, "aspf")
    )
    is_strict_dkim = _says_strict(text, "adkim")
    by_dkim = is_aligned(identity.signing_domain, identity.from_domain, lookups, is_strict=is_strict_dkim)
    is_signed = bool(identity.keys or identity.selector)
    domain = identity.from_domain
    if not by_dkim:
        message = Phrase(
            gettext_noop(
                "messages are signed by %(signing_domain)s, which does not count for the domain that readers "
                "see, %(domain)s (adkim=s asks for the same name). Leave [dkim] domain empty."
            )
            if is_strict_dkim
            else gettext_noop(
                "messages are signed by %(signing_domain)s, which does not count for the domain that readers "
                "see, %(domain)s. Leave [dkim] domain empty."
            ),
            signing_domain=identity.signing_domain,
            domain=domain,
        )
        code = "alignment-dkim"
        yield find_doubtful(_SUBJECT, code, message) if by_spf else find_bad(_SUBJECT, code, message)
    elif not by_spf and not identity.replaces_return_path:
        message = Phrase(
            gettext_noop(
                "bounces go to %(return_domain)s, so SPF does not count for the domain that readers see, "
                "%(domain)s (aspf=s asks for the same name). Set %(setting)s to an address at %(domain)s."
            )
            if _says_strict(text, "aspf")
            else gettext_noop(
                "bounces go to %(return_domain)s, so SPF does not count for the domain that readers see, "
                "%(domain)s. Set %(setting)s to an address at or below %(domain)s."
            ),
            return_domain=identity.return_domain,
            domain=domain,
            setting="[feedback] bounce_address" if identity.has_bounce_address else "[sender] bounces_to",
        )
        code = "alignment-spf"
        yield find_doubtful(_SUBJECT, code, message) if is_signed else find_bad(_SUBJECT, code, message)
    else:
        ways = [name for name, aligned in (("SPF", by_spf), ("DKIM", is_signed and by_dkim)) if aligned]
        if ways[1:]:
            words = gettext_noop("SPF and DKIM speak for the domain that readers see, %(domain)s")
            yield find_good(_SUBJECT, Phrase(words, domain=domain))
        elif ways:
            words = gettext_noop("%(method)s speaks for the domain that readers see, %(domain)s")
            yield find_good(_SUBJECT, Phrase(words, method=ways[0], domain=domain))


def is_aligned(domain: str, from_domain: str, lookups: Lookups, *, is_strict: bool = False) -> bool:
    """Whether what was proven for ``domain`` counts for ``from_domain``.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    if domain == from_domain:
        return True
    if is_strict or domain.split(".")[-1] != from_domain.split(".")[-1]:
        return False
    organisations = {discover_dmarc(each, lookups).organisational_domain for each in (domain, from_domain)}
    return len(organisations) == 1


def _says_strict(record: str, tag: str) -> bool:
    pairs = (part.partition("=") for part in record.split(";"))
    return any(name.strip().lower() == tag and value.strip().lower() == "s" for name, _, value in pairs)

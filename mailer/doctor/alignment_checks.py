"""Checks of alignment (RFC 9989 §4.4): whether SPF and DKIM speak for the domain that readers see."""

from __future__ import annotations

from collections.abc import Iterator

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
    shown = f"the domain that readers see, {identity.from_domain}"
    if not by_dkim:
        message = (
            f"messages are signed by {identity.signing_domain}, which does not count for {shown}"
            f"{' (adkim=s asks for the same name)' if is_strict_dkim else ''}. Leave [dkim] domain empty."
        )
        code = "alignment-dkim"
        yield find_doubtful(_SUBJECT, code, message) if by_spf else find_bad(_SUBJECT, code, message)
    elif not by_spf and not identity.replaces_return_path:
        strict = " (aspf=s asks for the same name)" if _says_strict(text, "aspf") else ""
        where = "[feedback] bounce_address" if identity.has_bounce_address else "[sender] bounces_to"
        message = (
            f"bounces go to {identity.return_domain}, so SPF does not count for {shown}{strict}. Set {where} "
            f"to an address {'at' if strict else 'at or below'} {identity.from_domain}."
        )
        code = "alignment-spf"
        yield find_doubtful(_SUBJECT, code, message) if is_signed else find_bad(_SUBJECT, code, message)
    else:
        ways = [name for name, aligned in (("SPF", by_spf), ("DKIM", is_signed and by_dkim)) if aligned]
        if ways:
            yield find_good(_SUBJECT, f"{' and '.join(ways)} speak{'' if ways[1:] else 's'} for {shown}")


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

"""Checks the DMARC policy, and that a domain which passes is aligned with the sender's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity
from mailer.doctor.spf_checks import write_record

_MOST_QUERIES = 8
_SUBJECT = "dmarc"
_REMOVED_TAGS = ("pct", "rf", "ri")
_STRICTNESS = {"none": 0, "quarantine": 1, "reject": 2}
_ALIGNMENT = "alignment"


@dataclass(frozen=True, kw_only=True)
class DmarcRecord:
    """A record, and the domain it was found at (without ``_dmarc.``)."""

    domain: str
    text: str


@dataclass(frozen=True, kw_only=True)
class DmarcDiscovery:
    """What a tree walk found. ``own`` are the records at the domain itself: several count as none. ``policy``
    is the record that holds.
    """

    own: tuple[str, ...]
    organisational_domain: str
    policy: DmarcRecord | None


def discover_dmarc(domain: str, lookups: Lookups) -> DmarcDiscovery:
    """Walk from ``domain`` towards the root."""
    own = _find_records(domain, lookups)
    walked = list(_walk(domain, own, lookups))
    organisation = _choose_organisation(domain, walked)
    by_domain = {record.domain: record for record in walked}
    policy = by_domain.get(domain) or by_domain.get(organisation)
    if policy is None and walked:
        # Only the record of a public suffix is left, which holds for those below it (§4.10.1).
        policy = walked[-1]
    return DmarcDiscovery(own=own, organisational_domain=organisation, policy=policy)


def _find_records(domain: str, lookups: Lookups) -> tuple[str, ...]:
    return tuple(text for text in lookups.find_texts(f"_dmarc.{domain}") if is_dmarc(text))


def is_dmarc(text: str) -> bool:
    """Return whether a TXT record is meant as one of DMARC: it begins with the version."""
    return "".join(text.split()).lower().startswith("v=dmarc1")


def _walk(domain: str, own: tuple[str, ...], lookups: Lookups) -> Iterator[DmarcRecord]:
    """Yield every valid record from ``domain`` upwards, until one says ``psd=``."""
    labels = domain.split(".")
    # The first question is for the domain itself; of a long name, the middle is left out.
    first = max(1, len(labels) - _MOST_QUERIES + 1)
    names = [domain, *(".".join(labels[index:]) for index in range(first, len(labels)))]
    for name in names:
        records = own if name == domain else _find_records(name, lookups)
        if len(records) != 1:
            continue
        yield DmarcRecord(domain=name, text=records[0])
        if _find_tag(records[0], "psd").lower() in {"y", "n"}:
            return


def _find_tag(text: str, tag: str) -> str:
    """Return the value of the first ``tag`` in a record, "" if there is none."""
    pairs = (part.partition("=") for part in text.split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip().lower() == tag), "")


def _choose_organisation(domain: str, walked: list[DmarcRecord]) -> str:
    """Return the organisational domain (§4.10.2)."""
    if not walked:
        return domain
    last = walked[-1]
    if _find_tag(last.text, "psd").lower() == "y" and last.domain != domain:
        below = len(domain.split(".")) - len(last.domain.split(".")) - 1
        return ".".join(domain.split(".")[below:])
    return last.domain


def check_dmarc(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Find and judge the record that holds for the From address."""
    domain = identity.from_domain
    discovery = discover_dmarc(domain, lookups)
    if len(discovery.own) > 1:
        message = Phrase(
            "%(domain)s has %(number)s DMARC records, which count as none. Keep only one of: %(records)s",
            domain=domain,
            number=len(discovery.own),
            records=" / ".join(discovery.own),
        )
        record = write_record(f"_dmarc.{domain}", discovery.own[0])
        yield find_bad(_SUBJECT, "dmarc-several", message, record=record)
        return
    if discovery.policy is None:
        yield _report_missing(discovery.organisational_domain)
        return
    tags = _read_tags(discovery.policy, lookups)
    if isinstance(tags, Diagnosis):
        yield tags
        return
    mended = _mend(discovery.policy, tags)
    findings = [
        *_judge_policy(domain, discovery.policy, tags, mended),
        *_judge_tags(discovery.policy, tags, mended),
        *_judge_reports(discovery.policy, tags, mended, lookups),
    ]
    if findings:
        yield from findings
        return
    policy = _name_policy(domain, discovery.policy, tags)
    message = Phrase(
        "%(domain)s tells receivers to %(policy)s mail that only claims to come from you",
        domain=discovery.policy.domain,
        policy=policy,
    )
    yield find_good(_SUBJECT, message)


def suggest_record(domain: str, policy: str = "none") -> str:
    return write_record(f"_dmarc.{domain}", f"v=DMARC1; p={policy}; rua=mailto:dmarc@{domain}")


def _report_missing(domain: str) -> Diagnosis:
    message = Phrase(
        "%(domain)s has no DMARC record, so anybody can send in your name, and Gmail, Yahoo and "
        "Microsoft refuse newsletters from it. Publish this as a first step: it changes nothing "
        "for your mail, and reports arrive at dmarc@%(domain)s; use an address that exists.",
        domain=domain,
    )
    return find_bad(_SUBJECT, "dmarc-missing", message, record=suggest_record(domain))


def _read_tags(record: DmarcRecord, lookups: Lookups) -> dict[str, Any] | Diagnosis:
    """Return the tags of the record, defaults included; or what is wrong with it."""
    from checkdmarc import dmarc

    # Whether reports can be sent is asked apart, so that the question of a mistake does not wait for it.
    parts = record.text.split(";")
    kept = [part for part in parts if part.partition("=")[0].strip().lower() not in {"rua", "ruf"}]
    try:
        parsed = dmarc.parse_dmarc_record(
            ";".join(kept),
            record.domain,
            resolver=lookups,
            retries=0,
        )
        listed = {name: _find_tag(record.text, name).split(",") for name in ("rua", "ruf")}
        uris = {name: [uri.strip() for uri in found if uri.strip()] for name, found in listed.items()}
        for uri in (*uris["rua"], *uris["ruf"]):
            dmarc.parse_dmarc_report_uri(uri)
    except dmarc.DMARCError as error:
        words = " ".join(str(error).split()).rstrip(".")
        message = Phrase(
            "the DMARC record of %(domain)s has a mistake, and receivers then ignore it "
            "(%(words)s). Correct: %(text)s",
            domain=record.domain,
            words=words,
            text=record.text,
        )
        suggestion = suggest_record(record.domain)
        return find_bad(_SUBJECT, "dmarc-syntax", message, record=suggestion)
    values = {name: details["value"] for name, details in parsed["tags"].items()}
    explicit = {name for name, details in parsed["tags"].items() if details["explicit"]}
    return {**values, **uris, "explicit": explicit}


def _name_policy(domain: str, found: DmarcRecord, tags: dict[str, Any]) -> str:
    """Return the policy for the From address: that of the domain itself, or the one for those below it."""
    return str(tags["p"] if found.domain == domain else tags["sp"])


def _judge_policy(domain: str, found: DmarcRecord, tags: dict[str, Any], mended: str) -> Iterator[Diagnosis]:
    name = f"_dmarc.{found.domain}"
    policy = _name_policy(domain, found, tags)
    if policy == "none":
        tag = "p" if found.domain == domain or "sp" not in tags["explicit"] else "sp"
        message = Phrase(
            "the DMARC record of %(domain)s says %(tag)s=none: that is the right first step, and "
            "lets through mail that only claims to come from you. When the reports show nothing of "
            "your own that fails, publish quarantine, and later reject.",
            domain=found.domain,
            tag=tag,
        )
        stricter = _replace_tag(mended, tag, "quarantine")
        yield find_doubtful(_SUBJECT, "dmarc-policy-none", message, record=write_record(name, stricter))
    elif tags["t"] == "y":
        message = Phrase(
            "the DMARC record of %(domain)s says t=y, “only a test”: receivers do less than "
            "p=%(policy)s asks. Remove t=y when the reports show nothing of your own that fails.",
            domain=found.domain,
            policy=policy,
        )
        tested = _replace_tag(mended, "t", "")
        yield find_doubtful(_SUBJECT, "dmarc-test-mode", message, record=write_record(name, tested))
    for tag in _list_weaker_tags(tags) if policy != "none" else ():
        message = Phrase(
            gettext_noop(
                "the DMARC record of %(domain)s protects names below it less (%(tag)s=%(value)s) than "
                "itself: fakes will use those. Remove %(tag)s=."
            )
            if tag == "sp"
            else gettext_noop(
                "the DMARC record of %(domain)s protects names below it that do not exist less "
                "(%(tag)s=%(value)s) than itself: fakes will use those. Remove %(tag)s=."
            ),
            domain=found.domain,
            tag=tag,
            value=tags[tag],
        )
        closed = _replace_tag(mended, tag, "")
        yield find_doubtful(_SUBJECT, "dmarc-subdomains-open", message, record=write_record(name, closed))


def _list_weaker_tags(tags: dict[str, Any]) -> list[str]:
    """Return the tags for names below the domain that ask for less than its own policy."""
    own = _STRICTNESS.get(tags["p"], 0)
    weaker = (tag for tag in ("sp", "np") if tag in tags["explicit"])
    return [tag for tag in weaker if _STRICTNESS.get(tags[tag], 0) < own]


def _mend(record: DmarcRecord, tags: dict[str, Any]) -> str:
    """Return the record without what RFC 9989 no longer knows, and with an address for reports."""
    text = record.text
    for tag in (*_REMOVED_TAGS, *(("psd",) if tags["psd"] == "y" else ())):
        text = _replace_tag(text, tag, "")
    return text if tags["rua"] else f"{text.rstrip('; ')}; rua=mailto:dmarc@{record.domain}"


def _judge_tags(record: DmarcRecord, tags: dict[str, Any], mended: str) -> Iterator[Diagnosis]:
    names = [part.partition("=")[0].strip().lower() for part in record.text.split(";")]
    line = write_record(f"_dmarc.{record.domain}", mended)
    if removed := [tag for tag in _REMOVED_TAGS if tag in names]:
        message = Phrase(
            "the DMARC record of %(domain)s has %(removed)s, which RFC 9989 no longer knows: some "
            "receivers still follow it, others do not. Remove it.",
            domain=record.domain,
            removed=join_phrases(removed, AND),
        )
        yield find_doubtful(_SUBJECT, "dmarc-removed-tag", message, record=line)
    if tags["psd"] == "y":
        message = Phrase(
            "the DMARC record of %(domain)s says psd=y, that it is a public suffix like .org, so "
            "every name below it counts as somebody else. Remove psd=y.",
            domain=record.domain,
        )
        yield find_doubtful(_SUBJECT, "dmarc-public-suffix", message, record=line)


def _replace_tag(text: str, tag: str, value: str) -> str:
    """Return the record with ``value`` for ``tag``, or without the tag."""
    kept = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        if part.partition("=")[0].strip().lower() != tag:
            kept.append(part)
        elif value:
            kept.append(f"{tag}={value}")
    return "; ".join(kept)


def _judge_reports(
    record: DmarcRecord, tags: dict[str, Any], mended: str, lookups: Lookups
) -> Iterator[Diagnosis]:
    domain = record.domain
    if not tags["rua"]:
        message = Phrase(
            "the DMARC record of %(domain)s names nobody who gets the reports, so you do not learn "
            "who sends in your name. Add rua= with an address that somebody reads.",
            domain=domain,
        )
        line = write_record(f"_dmarc.{domain}", mended)
        yield find_doubtful(_SUBJECT, "dmarc-reports-missing", message, record=line)
    for uri in tags["rua"]:
        address = uri.partition("!")[0].removeprefix("mailto:")
        receiver = address.rpartition("@")[2].lower()
        if "@" not in address:
            continue
        if not lookups.find_mail_servers(receiver) and not lookups.find_addresses(receiver):
            message = Phrase(
                "DMARC reports go to %(address)s, and %(receiver)s receives no mail. Correct rua=.",
                address=address,
                receiver=receiver,
            )
            yield find_doubtful(_SUBJECT, "dmarc-reports-lost", message)
        elif not _is_authorised(domain, receiver, lookups):
            message = Phrase(
                "DMARC reports about %(domain)s go to %(receiver)s, which has not agreed to get "
                "them, so nobody sends them. Have %(receiver)s publish this record, or use an "
                "address at %(domain)s.",
                domain=domain,
                receiver=receiver,
            )
            agreement = write_record(f"{domain}._report._dmarc.{receiver}", "v=DMARC1")
            yield find_doubtful(_SUBJECT, "dmarc-reports-refused", message, record=agreement)


def _is_authorised(domain: str, receiver: str, lookups: Lookups) -> bool:
    """Return whether ``receiver`` takes reports about ``domain`` (RFC 9990 §4)."""
    if is_aligned(domain, receiver, lookups):
        return True
    names = (f"{domain}._report._dmarc.{receiver}", f"*._report._dmarc.{receiver}")
    return any(is_dmarc(text) for name in names for text in lookups.find_texts(name))


def check_alignment(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Compare the return path's and the signature's domain with that of the From address."""
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
        yield find_doubtful(_ALIGNMENT, code, message) if by_spf else find_bad(_ALIGNMENT, code, message)
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
        yield find_doubtful(_ALIGNMENT, code, message) if is_signed else find_bad(_ALIGNMENT, code, message)
    else:
        ways = [name for name, aligned in (("SPF", by_spf), ("DKIM", is_signed and by_dkim)) if aligned]
        if ways[1:]:
            words = gettext_noop("SPF and DKIM speak for the domain that readers see, %(domain)s")
            yield find_good(_ALIGNMENT, Phrase(words, domain=domain))
        elif ways:
            words = gettext_noop("%(method)s speaks for the domain that readers see, %(domain)s")
            yield find_good(_ALIGNMENT, Phrase(words, method=ways[0], domain=domain))


def is_aligned(domain: str, from_domain: str, lookups: Lookups, *, is_strict: bool = False) -> bool:
    """Return whether what was proven for ``domain`` counts for ``from_domain``: unless ``is_strict``, both
    need only be of one organisation."""
    if domain == from_domain:
        return True
    if is_strict or domain.split(".")[-1] != from_domain.split(".")[-1]:
        return False
    organisations = {discover_dmarc(each, lookups).organisational_domain for each in (domain, from_domain)}
    return len(organisations) == 1


def _says_strict(record: str, tag: str) -> bool:
    return _find_tag(record, tag).lower() == "s"

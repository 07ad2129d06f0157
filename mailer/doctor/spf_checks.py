"""Checks that SPF lets the relays send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity, RelayOrigin, RelayService

if TYPE_CHECKING:
    from checkdmarc.spf import SPFError


_MX = re.compile(r"(?i)(?<=\s)[+?~-]?mx(?::[^\s/]+)?(/\d+)?(?://\d+)?(?=\s|$)")

FindAddresses = Callable[[str], Sequence[str]]
"""The addresses of a host."""
_MOST_LOOKUPS = 10  # RFC 7208 §4.6.4
_SUBJECT = "spf"


class SpfResult(StrEnum):
    """What a receiver makes of an address (RFC 7208 §2.6)."""

    passes = "passes"
    """The record names the address."""

    fails = "fails"
    """The record says that nobody else sends: ``-all`` or ``~all``."""

    neutral = "neutral"
    """The record says nothing about the address."""

    unknown = "unknown"
    """It depends on the message: the record has ``exists``, ``ptr`` or a macro."""


def evaluate_spf(
    record: str, parsed: Mapping[str, Any], address: str, find_addresses: FindAddresses
) -> SpfResult:
    """Return what a record says of ``address``; ``parsed`` is ``record`` as checkdmarc's parse_spf_record
    returns it. Raise DnsUnansweredError if nobody answers for a mail server that the record names.
    """
    is_unknown = False
    # The length of each mx's IPv4 network, with its slash, or "": checkdmarc leaves it out.
    prefixes = iter(_MX.findall(record))
    for mechanism in parsed["mechanisms"]:
        prefix = next(prefixes, "") if mechanism["mechanism"] == "mx" else ""
        matches = _match(mechanism, prefix, address, find_addresses)
        if matches is None:
            is_unknown = True
        elif matches:
            return _name_result(mechanism["action"])
    if is_unknown:
        return SpfResult.unknown
    redirect = parsed.get("redirect")
    if redirect and redirect.get("parsed"):
        return evaluate_spf(redirect["record"], redirect["parsed"], address, find_addresses)
    return _name_result(parsed["all"])


def _name_result(action: str) -> SpfResult:
    return {"pass": SpfResult.passes, "fail": SpfResult.fails, "softfail": SpfResult.fails}.get(
        action, SpfResult.neutral
    )


def _match(
    mechanism: Mapping[str, Any], prefix: str, address: str, find_addresses: FindAddresses
) -> bool | None:
    """Return whether a mechanism matches; None if that depends on the message."""
    kind = mechanism["mechanism"]
    if kind in {"ip4", "ip6"}:
        return _is_within(address, mechanism["value"])
    if kind == "a" and "addresses" in mechanism:
        return any(_is_within(address, each) for each in mechanism["addresses"])
    if kind == "mx" and "hosts" in mechanism:
        hosts = [host["hostname"] for host in mechanism["hosts"]]
        return any(
            _is_within(address, each if ":" in each else f"{each}{prefix}")
            for host in hosts
            for each in find_addresses(host)
        )
    if kind == "include" and mechanism.get("parsed"):
        result = evaluate_spf(mechanism["record"], mechanism["parsed"], address, find_addresses)
        return None if result is SpfResult.unknown else result is SpfResult.passes
    return None


def _is_within(address: str, network: str) -> bool:
    found = ip_network(network, strict=False)
    wanted = ip_address(address)
    return wanted.version == found.version and wanted in found


def check_spf(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Read the record of the return path's domain, and look for each relay in it."""
    domain = identity.return_domain
    records = [text for text in lookups.find_texts(domain) if _is_spf(text)]
    if len(records) == 1:
        parsed, fault = _parse(records[0], domain, lookups)
        if fault is not None:
            yield fault
            return
        yield from _judge_ending(domain, records[0], parsed)
        yield from _judge_relays(identity, records[0], parsed, lookups)
        return
    if len(records) > 1:
        terms = [term for record in records for term in record.split()[1:]]
        merged = [term for term in dict.fromkeys(terms) if not _is_all(term)]
        message = Phrase(
            "%(domain)s has %(records)s SPF records, and receivers then accept none of them. "
            "Replace them by one.",
            domain=domain,
            records=len(records),
        )
        record = write_record(domain, " ".join(["v=spf1", *merged, "~all"]))
        yield find_bad(_SUBJECT, "spf-several", message, record=record)
        return
    yield _report_missing(identity, lookups)


def write_record(name: str, text: str) -> str:
    """Return a TXT record as a line of a zone file."""
    return f'{name}. IN TXT "{text}"'


def _is_spf(text: str) -> bool:
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def _is_all(term: str) -> bool:
    return term.lower().lstrip("+-~?") == "all"


def _report_missing(identity: MailIdentity, lookups: Lookups) -> Diagnosis:
    domain = identity.return_domain
    if identity.replaces_return_path:
        services = dict.fromkeys(relay.service.name for relay in identity.relays if relay.service)
        names = join_phrases(list(services), AND)
        message = Phrase(
            "%(names)s sends with a return path of its own, so receivers ask for its SPF record, "
            "not for that of %(domain)s",
            names=names,
            domain=domain,
        )
        return find_good(_SUBJECT, message)
    terms = " ".join(dict.fromkeys(term for relay in identity.relays for term in list_terms(relay, lookups)))
    message = Phrase(
        "%(domain)s has no SPF record, so anybody can send in its name, and Gmail, Yahoo and "
        "Microsoft refuse newsletters from it. Publish one that names your relay.",
        domain=domain,
    )
    record = write_record(domain, f"v=spf1 {terms or 'mx'} ~all")
    return find_bad(_SUBJECT, "spf-missing", message, record=record)


def list_terms(relay: RelayOrigin, lookups: Lookups) -> list[str]:
    """Return what an SPF record says to name the relay."""
    if relay.service is not None and relay.service.include:
        return [f"include:{relay.service.include}"]
    return [f"ip{6 if ':' in address else 4}:{address}" for address in find_sending_addresses(relay, lookups)]


def find_sending_addresses(relay: RelayOrigin, lookups: Lookups) -> tuple[str, ...]:
    """Return the addresses in the settings, else those of the relay's name; none of one on this network."""
    if relay.addresses or relay.is_on_this_network:
        return relay.addresses
    return lookups.find_addresses(relay.host)


def _parse(record: str, domain: str, lookups: Lookups) -> tuple[dict[str, Any], Diagnosis | None]:
    """Return the record as a tree with all that it includes, or what is wrong with it."""
    from checkdmarc import spf

    lookups.forget_unanswered()
    fault: Diagnosis | None = None
    parsed: dict[str, Any] = {}
    try:
        result = spf.parse_spf_record(
            record,
            domain,
            resolver=lookups,
            nameservers=lookups.nameservers,
            retries=0,
        )
        parsed = dict(result["parsed"])
    except spf.SPFError as error:
        code, message, values = _describe_fault(error)
        fault = find_bad(_SUBJECT, code, Phrase(message, domain=domain, record=record, **values))
    lookups.raise_unanswered()
    return parsed, fault


def _describe_fault(error: SPFError) -> tuple[str, str, dict[str, Any]]:
    """Return the code of a mistake, its message, and what is in that beside the domain and its record."""
    from checkdmarc import spf

    if isinstance(error, spf.SPFTooManyVoidDNSLookups):
        message = gettext_noop(
            "the SPF record of %(domain)s names more than two hosts that do not exist, and "
            "receivers then give up. Remove them from: %(record)s"
        )
        return "spf-void-lookups", message, {}
    if isinstance(error, spf.SPFTooManyDNSLookups):
        message = gettext_noop(
            "the SPF record of %(domain)s needs %(number)s questions to the DNS, and receivers "
            "give up after %(most_lookups)s. Remove the services you no longer send through from: "
            "%(record)s"
        )
        more = Phrase("more than %(number)s", number=_MOST_LOOKUPS)
        number = (getattr(error, "data", None) or {}).get("dns_lookups", more)
        return "spf-too-many-lookups", message, {"number": number, "most_lookups": _MOST_LOOKUPS}
    if isinstance(error, spf.SPFIncludeLoop | spf.SPFRedirectLoop | spf.SPFRecordNotFound):
        message = gettext_noop(
            "the SPF record of %(domain)s refers to a domain that has no usable SPF record, and "
            "receivers then accept none of it (%(error)s). Remove or correct that part of: "
            "%(record)s"
        )
        return "spf-include-broken", message, {"error": _shorten(error)}
    message = gettext_noop(
        "the SPF record of %(domain)s has a mistake, and receivers then accept none of it "
        "(%(error)s). Correct: %(record)s"
    )
    code = "spf-include-broken" if isinstance(error, spf.MultipleSPFRTXTRecords) else "spf-syntax"
    return code, message, {"error": _shorten(error)}


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _judge_ending(domain: str, record: str, parsed: dict[str, Any]) -> Iterator[Diagnosis]:
    end = parsed
    while end.get("redirect") and end["redirect"].get("parsed"):
        end = end["redirect"]["parsed"]
    terms = [term for term in record.split() if not _is_all(term)]
    corrected = write_record(domain, " ".join([*terms, "~all"]))
    if end["all"] == "pass":
        message = Phrase(
            "the SPF record of %(domain)s ends with +all: it lets every server in the world send "
            "in your name. Replace the end by ~all.",
            domain=domain,
        )
        yield find_bad(_SUBJECT, "spf-allows-all", message, record=corrected)
    elif end["all"] == "neutral":
        message = Phrase(
            "the SPF record of %(domain)s does not say what to think of all other servers, so it "
            "protects nobody. Let it end with ~all.",
            domain=domain,
        )
        yield find_doubtful(_SUBJECT, "spf-no-end", message, record=corrected)


def _judge_relays(
    identity: MailIdentity, record: str, parsed: dict[str, Any], lookups: Lookups
) -> Iterator[Diagnosis]:
    domain = identity.return_domain
    for relay in identity.relays:
        if relay.service is not None and not relay.addresses:
            yield _judge_service(relay.service, domain, record, parsed)
            continue
        addresses = find_sending_addresses(relay, lookups)
        if not addresses:
            message = Phrase(
                "nobody has said which address the mail of %(host)s leaves from, so it cannot be "
                "looked for in the SPF record of %(domain)s. Set [smtp] sending_addresses; whoever "
                "runs the relay knows them.",
                host=relay.host,
                domain=domain,
            )
            yield find_doubtful(_SUBJECT, "spf-relay-unknown", message)
            continue
        results = {each: evaluate_spf(record, parsed, each, lookups.find_addresses) for each in addresses}
        missing = [each for each, result in results.items() if result in {SpfResult.fails, SpfResult.neutral}]
        if missing:
            yield _report_relay(relay, domain, record, missing)
        else:
            words = gettext_noop("%(domain)s lets %(host)s send (%(addresses)s)")
            sent = Phrase(words, domain=domain, host=relay.host, addresses=", ".join(addresses))
            yield find_good(_SUBJECT, sent)


def _judge_service(service: RelayService, domain: str, record: str, parsed: dict[str, Any]) -> Diagnosis:
    if service.replaces_return_path and service.include not in _list_includes(parsed):
        message = Phrase(
            "the SPF record of %(domain)s is valid; %(service)s sends with a return path of its "
            "own, so receivers ask for its record",
            domain=domain,
            service=service.name,
        )
        return find_good(_SUBJECT, message)
    if service.include in _list_includes(parsed):
        return find_good(
            _SUBJECT,
            Phrase("%(domain)s lets %(service)s send", domain=domain, service=service.name),
        )
    message = Phrase(
        "the SPF record of %(domain)s does not name %(service)s, so your mail fails SPF. Add "
        "include:%(include)s to it.",
        domain=domain,
        service=service.name,
        include=service.include,
    )
    corrected = write_record(domain, _insert_terms(record, [f"include:{service.include}"]))
    return find_bad(_SUBJECT, "spf-relay-missing", message, record=corrected)


def _report_relay(relay: RelayOrigin, domain: str, record: str, missing: list[str]) -> Diagnosis:
    terms = [f"ip{6 if ':' in each else 4}:{each}" for each in missing]
    corrected = write_record(domain, _insert_terms(record, terms))
    if relay.addresses or relay.host == domain or relay.host.endswith(f".{domain}"):
        message = Phrase(
            "the SPF record of %(domain)s does not name %(missing)s, where the mail of %(host)s "
            "leaves from, so it fails SPF. Add it.",
            domain=domain,
            missing=", ".join(missing),
            host=relay.host,
        )
        return find_bad(_SUBJECT, "spf-relay-missing", message, record=corrected)
    message = Phrase(
        "the SPF record of %(domain)s does not name %(host)s (%(missing)s). Its mail may leave "
        "from other addresses: if you know them, set [smtp] sending_addresses; otherwise ask "
        "whoever runs it what to add.",
        domain=domain,
        host=relay.host,
        missing=", ".join(missing),
    )
    return find_doubtful(_SUBJECT, "spf-relay-unknown", message)


def _insert_terms(record: str, terms: list[str]) -> str:
    """Return the record with ``terms`` before its end."""
    words = record.split()
    end = next((index for index, word in enumerate(words) if _is_all(word)), len(words))
    return " ".join([*words[:end], *terms, *words[end:]] + ([] if end < len(words) else ["~all"]))


def _list_includes(parsed: dict[str, Any]) -> set[str]:
    """Return every domain that a record includes or is redirected to, at any depth."""
    found = set()
    for mechanism in parsed["mechanisms"]:
        if mechanism["mechanism"] == "include":
            found.add(mechanism["value"].lower())
            if mechanism.get("parsed"):
                found |= _list_includes(mechanism["parsed"])
    redirect = parsed.get("redirect")
    if redirect:
        found.add(redirect["domain"].lower())
        if redirect.get("parsed"):
            found |= _list_includes(redirect["parsed"])
    return found

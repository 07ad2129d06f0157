"""Checks of SPF (RFC 7208): which servers may send for the domain that bounces go back to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity, RelayOrigin
from mailer.doctor.relay_services import RelayService
from mailer.doctor.spf_evaluation import SpfResult, evaluate_spf

_MOST_LOOKUPS = 10  # RFC 7208 §4.6.4
_SUBJECT = "spf"


def check_spf(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Read the record of the return path's domain, and look for each relay in it.

    Raises:
        DnsUnansweredError: nobody answers.
    """
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
        message = (
            f"{domain} has {len(records)} SPF records, and receivers then accept none of them. Replace them "
            "by one."
        )
        record = write_record(domain, " ".join(["v=spf1", *merged, "~all"]))
        yield find_bad(_SUBJECT, "spf-several", message, record=record)
        return
    yield _report_missing(identity, lookups)


def write_record(name: str, text: str) -> str:
    """A TXT record as a line of a zone file."""
    return f'{name}. IN TXT "{text}"'


def _is_spf(text: str) -> bool:
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def _is_all(term: str) -> bool:
    return term.lower().lstrip("+-~?") == "all"


def _report_missing(identity: MailIdentity, lookups: Lookups) -> Diagnosis:
    domain = identity.return_domain
    if identity.replaces_return_path:
        names = " and ".join(dict.fromkeys(relay.service.name for relay in identity.relays if relay.service))
        message = (
            f"{names} sends with a return path of its own, so receivers ask for its SPF record, not for that "
            f"of {domain}"
        )
        return find_good(_SUBJECT, message)
    terms = " ".join(dict.fromkeys(term for relay in identity.relays for term in list_terms(relay, lookups)))
    message = (
        f"{domain} has no SPF record, so anybody can send in its name, and Gmail, Yahoo and Microsoft refuse "
        "newsletters from it. Publish one that names your relay."
    )
    record = write_record(domain, f"v=spf1 {terms or 'mx'} ~all")
    return find_bad(_SUBJECT, "spf-missing", message, record=record)


def list_terms(relay: RelayOrigin, lookups: Lookups) -> list[str]:
    """What an SPF record says to name the relay.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    if relay.service is not None and relay.service.include:
        return [f"include:{relay.service.include}"]
    return [f"ip{6 if ':' in address else 4}:{address}" for address in find_sending_addresses(relay, lookups)]


def find_sending_addresses(relay: RelayOrigin, lookups: Lookups) -> tuple[str, ...]:
    """The addresses in the settings, else those of the relay's name; none of a relay on this network.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    if relay.addresses or relay.is_on_this_network:
        return relay.addresses
    return lookups.find_addresses(relay.host)


def _parse(record: str, domain: str, lookups: Lookups) -> tuple[dict[str, Any], Diagnosis | None]:
    """The record as a tree with all that it includes, or what is wrong with it.

    Raises:
        DnsUnansweredError: nobody answers for a name in it.
    """
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
    except spf.SPFTooManyVoidDNSLookups:
        fault = find_bad(
            _SUBJECT,
            "spf-void-lookups",
            f"the SPF record of {domain} names more than two hosts that do not exist, and receivers then "
            f"give up. Remove them from: {record}",
        )
    except spf.SPFTooManyDNSLookups as error:
        number = (getattr(error, "data", None) or {}).get("dns_lookups", f"more than {_MOST_LOOKUPS}")
        fault = find_bad(
            _SUBJECT,
            "spf-too-many-lookups",
            f"the SPF record of {domain} needs {number} questions to the DNS, and receivers give up after "
            f"{_MOST_LOOKUPS}. Remove the services you no longer send through from: {record}",
        )
    except (spf.SPFIncludeLoop, spf.SPFRedirectLoop, spf.SPFRecordNotFound) as error:
        fault = find_bad(
            _SUBJECT,
            "spf-include-broken",
            f"the SPF record of {domain} refers to a domain that has no usable SPF record, and receivers "
            f"then accept none of it ({_shorten(error)}). Remove or correct that part of: {record}",
        )
    except spf.SPFError as error:
        code = "spf-include-broken" if isinstance(error, spf.MultipleSPFRTXTRecords) else "spf-syntax"
        fault = find_bad(
            _SUBJECT,
            code,
            f"the SPF record of {domain} has a mistake, and receivers then accept none of it "
            f"({_shorten(error)}). Correct: {record}",
        )
    lookups.raise_unanswered()
    return parsed, fault


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _judge_ending(domain: str, record: str, parsed: dict[str, Any]) -> Iterator[Diagnosis]:
    end = parsed
    while end.get("redirect") and end["redirect"].get("parsed"):
        end = end["redirect"]["parsed"]
    terms = [term for term in record.split() if not _is_all(term)]
    if end["all"] == "pass":
        message = (
            f"the SPF record of {domain} ends with +all: it lets every server in the world send in your "
            "name. Replace the end by ~all."
        )
        corrected = write_record(domain, " ".join([*terms, "~all"]))
        yield find_bad(_SUBJECT, "spf-allows-all", message, record=corrected)
    elif end["all"] == "neutral":
        message = (
            f"the SPF record of {domain} does not say what to think of all other servers, so it protects "
            "nobody. Let it end with ~all."
        )
        corrected = write_record(domain, " ".join([*terms, "~all"]))
        yield find_doubtful(_SUBJECT, "spf-no-end", message, record=corrected)


def _judge_relays(
    identity: MailIdentity, record: str, parsed: dict[str, Any], lookups: Lookups
) -> Iterator[Diagnosis]:
    """Say of each relay whether the record lets it send."""
    domain = identity.return_domain
    for relay in identity.relays:
        if relay.service is not None and not relay.addresses:
            yield _judge_service(relay.service, domain, record, parsed)
            continue
        addresses = find_sending_addresses(relay, lookups)
        if not addresses:
            message = (
                f"nobody has said which address the mail of {relay.host} leaves from, so it cannot be looked "
                f"for in the SPF record of {domain}. Set [smtp] sending_addresses; whoever runs the relay "
                "knows them."
            )
            yield find_doubtful(_SUBJECT, "spf-relay-unknown", message)
            continue
        results = {each: evaluate_spf(record, parsed, each, lookups.find_addresses) for each in addresses}
        missing = [each for each, result in results.items() if result in {SpfResult.fails, SpfResult.neutral}]
        if missing:
            yield _report_relay(relay, domain, record, missing)
        else:
            message = f"{domain} lets {relay.host} send ({', '.join(addresses)})"
            yield find_good(_SUBJECT, message)


def _judge_service(service: RelayService, domain: str, record: str, parsed: dict[str, Any]) -> Diagnosis:
    if service.replaces_return_path and service.include not in _list_includes(parsed):
        message = (
            f"the SPF record of {domain} is valid; {service.name} sends with a return path of its own, so "
            "receivers ask for its record"
        )
        return find_good(_SUBJECT, message)
    if service.include in _list_includes(parsed):
        return find_good(_SUBJECT, f"{domain} lets {service.name} send")
    message = (
        f"the SPF record of {domain} does not name {service.name}, so your mail fails SPF. Add "
        f"include:{service.include} to it."
    )
    corrected = write_record(domain, _insert_terms(record, [f"include:{service.include}"]))
    return find_bad(_SUBJECT, "spf-relay-missing", message, record=corrected)


def _report_relay(relay: RelayOrigin, domain: str, record: str, missing: list[str]) -> Diagnosis:
    terms = [f"ip{6 if ':' in each else 4}:{each}" for each in missing]
    corrected = write_record(domain, _insert_terms(record, terms))
    if relay.addresses or relay.host == domain or relay.host.endswith(f".{domain}"):
        message = (
            f"the SPF record of {domain} does not name {', '.join(missing)}, where the mail of {relay.host} "
            "leaves from, so it fails SPF. Add it."
        )
        return find_bad(_SUBJECT, "spf-relay-missing", message, record=corrected)
    message = (
        f"the SPF record of {domain} does not name {relay.host} ({', '.join(missing)}). Its mail may leave "
        "from other addresses: if you know them, set [smtp] sending_addresses; otherwise ask whoever runs it "
        "what to add."
    )
    return find_doubtful(_SUBJECT, "spf-relay-unknown", message)


def _insert_terms(record: str, terms: list[str]) -> str:
    """The record with ``terms`` before its end."""
    words = record.split()
    end = next((index for index, word in enumerate(words) if _is_all(word)), len(words))
    return " ".join([*words[:end], *terms, *words[end:]] + ([] if end < len(words) else ["~all"]))


def _list_includes(parsed: dict[str, Any]) -> set[str]:
    """Every domain that a record includes or is redirected to, at any depth."""
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

"""Whether an SPF record lets an address send: RFC 7208 §5 on a record that checkdmarc has parsed."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

_MX = re.compile(r"(?i)(?<=\s)[+?~-]?mx(?::[^\s/]+)?(/\d+)?(?://\d+)?(?=\s|$)")

FindAddresses = Callable[[str], Sequence[str]]
"""The addresses of a host."""


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
    """What a record says of ``address``.

    ``parsed`` is ``record`` as :func:`checkdmarc.spf.parse_spf_record` returns it.

    Raises:
        DnsUnansweredError: nobody answers for a mail server that the record names.
    """
    is_unknown = False
    prefixes = iter(_list_mx_prefixes(record))
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


def _list_mx_prefixes(record: str) -> list[str]:
    """The length of the IPv4 network of each ``mx``, with its slash, or "": checkdmarc leaves it out."""
    return [found or "" for found in _MX.findall(record)]


def _name_result(action: str) -> SpfResult:
    return {"pass": SpfResult.passes, "fail": SpfResult.fails, "softfail": SpfResult.fails}.get(
        action, SpfResult.neutral
    )


def _match(
    mechanism: Mapping[str, Any], prefix: str, address: str, find_addresses: FindAddresses
) -> bool | None:
    """Whether a mechanism matches; None if that depends on the message."""
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

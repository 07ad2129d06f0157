"""Whether an SPF record lets an address send: RFC 7208 §5 on a record that checkdmarc has parsed."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

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


def evaluate_spf(parsed: Mapping[str, Any], address: str, find_addresses: FindAddresses) -> SpfResult:
    """What ``parsed``, the record as :func:`checkdmarc.spf.parse_spf_record` returns it, says of ``address``.

    Raises:
        DnsUnansweredError: nobody answers for a mail server that the record names.
    """
    is_unknown = False
    for mechanism in parsed["mechanisms"]:
        matches = _match(mechanism, address, find_addresses)
        if matches is None:
            is_unknown = True
        elif matches:
            return _name_result(mechanism["action"])
    if is_unknown:
        return SpfResult.unknown
    redirect = parsed.get("redirect")
    if redirect and redirect.get("parsed"):
        return evaluate_spf(redirect["parsed"], address, find_addresses)
    return _name_result(parsed["all"])


def _name_result(action: str) -> SpfResult:
    return {"pass": SpfResult.passes, "fail": SpfResult.fails, "softfail": SpfResult.fails}.get(
        action, SpfResult.neutral
    )


def _match(mechanism: Mapping[str, Any], address: str, find_addresses: FindAddresses) -> bool | None:
    """Whether a mechanism matches; None if that depends on the message."""
    kind = mechanism["mechanism"]
    if kind in {"ip4", "ip6"}:
        return _is_within(address, mechanism["value"])
    if kind == "a" and "addresses" in mechanism:
        return any(_is_within(address, each) for each in mechanism["addresses"])
    if kind == "mx" and "hosts" in mechanism:
        prefix = _read_prefix(mechanism["value"])
        hosts = [host["hostname"] for host in mechanism["hosts"]]
        return any(_is_within(address, f"{each}{prefix}") for host in hosts for each in find_addresses(host))
    if kind == "include" and mechanism.get("parsed"):
        result = evaluate_spf(mechanism["parsed"], address, find_addresses)
        return None if result is SpfResult.unknown else result is SpfResult.passes
    return None


def _read_prefix(value: str) -> str:
    """The length of the IPv4 network in ``example.org/24``, with its slash; "" if there is none."""
    _, slash, length = value.partition("/")
    return f"/{length}" if slash and length.isdecimal() else ""


def _is_within(address: str, network: str) -> bool:
    wanted = ip_address(address)
    try:
        found = ip_network(network, strict=False)
    except ValueError:
        found = ip_interface(network.split("/")[0]).network
    return wanted.version == found.version and wanted in found

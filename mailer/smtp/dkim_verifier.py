"""Verify DKIM signatures (RFC 6376, section 6; RFC 8463) on a message as it was received.

The key comes from whoever calls: from the DNS, or from our own settings. So nothing is asked of anybody's DNS
unless the caller wants it.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

KeyFinder = Callable[[str], str | None]
"""Returns the text of the TXT record with a name such as ``news1._domainkey.example.org``, None if there is
none. Raises :class:`KeyLookupError` if that cannot be known now."""
_MAX_SIGNATURES = 8
_CLOCK_SKEW = timedelta(hours=1)
_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_-]+)*")
# The value of b=, which is empty while the signature is made. Never that of bh=.
_SIGNATURE_VALUE = re.compile(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_MIN_RSA_BITS = 1024  # RFC 8301, section 3.2


class KeyLookupError(Exception):
    """The DNS gave no answer."""


class DkimVerdict(StrEnum):
    """Verdicts on one signature."""

    valid = "valid"
    """The signed headers and the body are as they were signed."""

    body_changed = "body_changed"
    """The signed headers are as they were signed, the body is not."""

    header_changed = "header_changed"
    """A signed header is not as it was signed, or the signature was made with another key."""

    no_key = "no_key"
    """There is no such key in the DNS, it was withdrawn, or it is of no use."""

    unreachable = "unreachable"
    """The key could not be looked up."""

    expired = "expired"
    """The signature says that it does not count any more, or not yet."""

    malformed = "malformed"
    """It breaks the rules for a signature, or uses an algorithm that nobody should trust."""


@dataclass(frozen=True, kw_only=True)
class DkimResult:
    """One signature: who signed, what came of it, and which headers it covers (``h=``, in small letters).
    ``limits_body`` says that text may be added below what was signed (``l=``)."""

    domain: str
    selector: str
    verdict: DkimVerdict
    covered: tuple[str, ...] = ()
    limits_body: bool = False

    def covers(self, name: str) -> bool:
        return name.lower() in self.covered


def verify_dkim(
    message: bytes,
    find_key: KeyFinder,
    *,
    now: datetime | None,
    accepts_domain: Callable[[str], bool] = lambda _: True,
) -> tuple[DkimResult, ...]:
    """Verify each signature on ``message`` whose domain ``accepts_domain``, first to last, eight at most.
    Without ``now``, a signature counts for ever: an old message is no less genuine. Lines of the message may
    end in any way."""
    head, body = _split_message(message)
    fields = _split_fields(head)
    signatures = [field for name, field in fields if name == b"dkim-signature"][:_MAX_SIGNATURES]
    results = (_verify_one(raw, fields, body, find_key, now, accepts_domain) for raw in signatures)
    return tuple(result for result in results if result is not None)


def is_aligned(domain: str, other: str) -> bool:
    """Return whether one of two domains is the other, or lies below it, as DMARC's relaxed mode allows."""
    one, two = domain.lower().rstrip("."), other.lower().rstrip(".")
    return (
        bool(one and two)
        and "." in one
        and "." in two
        and (one == two or one.endswith(f".{two}") or two.endswith(f".{one}"))
    )


# --- one signature ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Signature:
    domain: str
    selector: str
    key_type: str
    header_form: str
    body_form: str
    names: tuple[str, ...]
    body_hash: bytes
    signature: bytes
    identity_domain: str
    length: int | None
    starts_at: int | None
    expires_at: int | None


def _verify_one(
    raw: bytes,
    fields: Sequence[tuple[bytes, bytes]],
    body: bytes,
    find_key: KeyFinder,
    now: datetime | None,
    accepts_domain: Callable[[str], bool],
) -> DkimResult | None:
    tags = parse_tags(raw.partition(b":")[2].decode("latin-1")) or {}
    domain, selector = tags.get("d", "").lower(), tags.get("s", "")
    if not accepts_domain(domain):
        return None
    signature = _read_signature(tags)
    if signature is None:
        return DkimResult(domain=domain, selector=selector, verdict=DkimVerdict.malformed)

    def tell(verdict: DkimVerdict) -> DkimResult:
        return DkimResult(
            domain=domain,
            selector=selector,
            verdict=verdict,
            covered=signature.names,
            limits_body=signature.length is not None,
        )

    if now is not None and _is_out_of_time(signature, now):
        return tell(DkimVerdict.expired)
    try:
        record = find_key(f"{selector}._domainkey.{domain}")
    except KeyLookupError:
        return tell(DkimVerdict.unreachable)
    verify = _load_key(record, signature) if record is not None else None
    if verify is None:
        return tell(DkimVerdict.no_key)
    if not verify(_collect_signed(signature, raw, fields), signature.signature):
        return tell(DkimVerdict.header_changed)
    is_same = sha256(_canonicalise_body(body, signature)).digest() == signature.body_hash
    return tell(DkimVerdict.valid if is_same else DkimVerdict.body_changed)


def parse_tags(text: str) -> dict[str, str] | None:
    """Read a list of tags (RFC 6376, section 3.2); None if it is not one."""
    tags: dict[str, str] = {}
    for part in text.strip().removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _TAG_NAME.fullmatch(name) or name in tags:
            return None
        tags[name] = value.strip()
    return tags


def _read_signature(tags: Mapping[str, str]) -> _Signature | None:
    names = tuple(name.strip().lower() for name in tags.get("h", "").split(":"))
    header_form, _, body_form = tags.get("c", "simple/simple").lower().partition("/")
    identity_domain = tags.get("i", f"@{tags.get('d', '')}").rpartition("@")[2].lower()
    domain, key_type = tags.get("d", "").lower(), _ALGORITHMS.get(tags.get("a", "").lower())
    forms = {header_form, body_form or "simple"}
    is_sound = (
        tags.get("v") == "1"
        and "from" in names
        and forms <= {"simple", "relaxed"}
        and (identity_domain == domain or identity_domain.endswith(f".{domain}"))
        and all(_DNS_NAME.fullmatch(tags.get(name, "")) for name in ("d", "s"))
    )
    try:
        numbers = {name: int(tags[name]) if name in tags else None for name in ("l", "t", "x")}
        body_hash, signature = (
            b64decode(re.sub(r"\s", "", tags.get(name, "")), validate=True) for name in ("bh", "b")
        )
    except (binascii.Error, ValueError):
        return None
    if not is_sound or key_type is None or not body_hash or not signature or (numbers["l"] or 0) < 0:
        return None
    return _Signature(
        domain=domain,
        selector=tags["s"],
        key_type=key_type,
        header_form=header_form,
        body_form=body_form or "simple",
        names=names,
        body_hash=body_hash,
        signature=signature,
        identity_domain=identity_domain,
        length=numbers["l"],
        starts_at=numbers["t"],
        expires_at=numbers["x"],
    )


def _is_out_of_time(signature: _Signature, now: datetime) -> bool:
    seconds, skew = now.timestamp(), _CLOCK_SKEW.total_seconds()
    is_early = signature.starts_at is not None and signature.starts_at > seconds + skew
    return is_early or (signature.expires_at is not None and signature.expires_at < seconds)


# --- keys ---------------------------------------------------------------------------------------------------


def _load_key(record: str, signature: _Signature) -> Callable[[bytes, bytes], bool] | None:
    """Return a function that verifies with the key in ``record``; None if it is of no use here."""
    tags = parse_tags(record)
    if tags is None or tags.get("v", "DKIM1") != "DKIM1" or tags.get("k", "rsa") != signature.key_type:
        return None
    hashes, services = tags.get("h", "sha256").split(":"), tags.get("s", "*").split(":")
    flags = {flag.strip() for flag in tags.get("t", "").split(":")}
    if "sha256" not in map(str.strip, hashes) or not {"*", "email"} & set(map(str.strip, services)):
        return None
    if "s" in flags and signature.identity_domain != signature.domain:
        return None
    try:
        public = b64decode(re.sub(r"\s", "", tags.get("p", "")), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not public:
        return None
    return _make_rsa_check(public) if signature.key_type == "rsa" else _make_ed25519_check(public)


def _make_rsa_check(public: bytes) -> Callable[[bytes, bytes], bool] | None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_RSA_BITS:
        return None

    def check(signed: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    return check


def _make_ed25519_check(public: bytes) -> Callable[[bytes, bytes], bool] | None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(public)
    except ValueError:
        return None

    def check(signed: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, sha256(signed).digest())
        except InvalidSignature:
            return False
        return True

    return check


# --- canonical forms ----------------------------------------------------------------------------------------


def _split_message(message: bytes) -> tuple[bytes, bytes]:
    if b"\r" in message:
        message = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    head, _, body = message.partition(b"\n\n")
    return head.replace(b"\n", b"\r\n"), body.replace(b"\n", b"\r\n")


def _split_fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Return the header fields in their order: the name in small letters, and the field as it is written."""
    fields = re.split(rb"\r\n(?![ \t])", head)
    return [(field.partition(b":")[0].strip().lower(), field) for field in fields if b":" in field]


def _collect_signed(signature: _Signature, raw: bytes, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return what was signed: the fields of ``h=``, of one name the last first, then the signature itself."""
    waiting: dict[bytes, list[bytes]] = {}
    for name, field in fields:
        waiting.setdefault(name, []).append(field)
    simple = signature.header_form == "simple"
    signed = []
    for wanted in signature.names:
        if found := waiting.get(wanted.encode("latin-1")):
            signed.append(_canonicalise_field(found.pop(), simple=simple) + b"\r\n")
    start, _, value = raw.partition(b":")
    unsigned = start + b":" + _SIGNATURE_VALUE.sub(rb"\1", value)
    return b"".join(signed) + _canonicalise_field(unsigned, simple=simple)


def _canonicalise_field(field: bytes, *, simple: bool) -> bytes:
    """Return a field in simple or relaxed form (RFC 6376, sections 3.4.1 and 3.4.2), without its line end."""
    if simple:
        return field
    name, _, value = field.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" \t")
    return b"%b:%b" % (name.strip().lower(), value)


def _canonicalise_body(body: bytes, signature: _Signature) -> bytes:
    """Return the body in simple or relaxed form (RFC 6376, sections 3.4.3 and 3.4.4)."""
    if signature.body_form == "relaxed":
        body = re.sub(rb"[ \t]+", b" ", body)
        body = re.sub(rb" (?=\r\n|\Z)", b"", body)
    stripped = _strip_line_ends(body)
    if stripped or signature.body_form == "simple":
        stripped += b"\r\n"
    return stripped if signature.length is None else stripped[: signature.length]


def _strip_line_ends(body: bytes) -> bytes:
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end]

"""Sign messages with DKIM (RFC 6376), with RSA, Ed25519 (RFC 8463) or both keys.

This is for relays that do not sign. Header fields are canonicalised relaxed, the body simple: no relay has a
reason to change a body, so every byte of it counts.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from locales.phrase import Phrase
from mailer.smtp.interfaces import DkimKeyError, MessageFormatError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["DkimRecord", "DkimSigner", "SigningKey", "load_ed25519_key", "load_rsa_key", "make_dkim_record"]

_OVERSIGNED = (
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mime-version",
    "content-type",
)
"""Header fields named once more than they occur, so that nobody can add one: a second From or
List-Unsubscribe would be shown or used in place of ours, with our signature still valid."""

_SIGNED_IF_PRESENT = (
    "sender",
    "list-post",
    "content-transfer-encoding",
    "in-reply-to",
    "references",
    "x-feedback-token",
    "feedback-id",
    "cfbl-address",
    "cfbl-feedback-id",
)
"""Header fields that are signed where they occur, and that a relay may add: Amazon SES adds a Feedback-ID of
its own. Gmail reads ours and RFC 9477 lets a provider report to ours only if they are signed."""

_FIELD_NAMES = tuple(name.encode() for name in _OVERSIGNED + _SIGNED_IF_PRESENT)
_FIELD_NAME_SET = frozenset(_FIELD_NAMES)

# `in` takes twice as long for a message without one, as ours are.
_STUFFED_DOT = re.compile(rb"\r\n\.")

_MIN_RSA_BITS = 2048  # RFC 8301 allows 1024; large receivers no longer trust it.
_MAX_LINE_LENGTH = 78  # RFC 5322, section 2.1.1: what a line should not exceed
_MAX_STRING_LENGTH = 255  # RFC 1035, section 3.3: a character-string of DNS


@dataclass(frozen=True, kw_only=True)
class DkimRecord:
    """The DNS record that a signature needs: ``text`` in a TXT record named ``name``."""

    name: str
    text: str

    @property
    def zone_line(self) -> str:
        """The record as written in a zone file, its text split into strings of at most 255 bytes."""
        strings = '" "'.join(_split(self.text, _MAX_STRING_LENGTH))
        return f'{self.name}. IN TXT ( "{strings}" )'


def make_dkim_record(
    private: "RSAPrivateKey | Ed25519PrivateKey", *, selector: str, domain: str
) -> DkimRecord:
    """Return the record for the public key of ``private``. It contains nothing of the private key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(private, RSAPrivateKey):
        kind = "rsa"
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        kind = "ed25519"
        public = private.public_key().public_bytes_raw()
    return DkimRecord(
        name=f"{selector}._domainkey.{domain}",
        text=f"v=DKIM1; k={kind}; p={b64encode(public).decode('ascii')}",
    )


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key ready to sign. ``header_start`` is its header up to the time, and ``is_slow`` says that
    signing is worth a thread."""

    record: DkimRecord
    header_start: bytes
    sign: Callable[[bytes], bytes]
    is_slow: bool = False


class DkimSigner:
    """Signs messages with one or two keys. Keeps nothing of a message; safe to share between threads."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(keys)

    @property
    def records(self) -> tuple[DkimRecord, ...]:
        return tuple(key.record for key in self._keys)

    @property
    def is_slow(self) -> bool:
        """Whether a signature is worth making in another thread. RSA's is: it takes a quarter of a
        millisecond, in which the interpreter's lock is free. Ed25519's takes less time than handing it
        over."""
        return any(key.is_slow for key in self._keys)

    def sign(self, message: bytes, *, now: datetime) -> bytes:
        """Return ``message`` with a DKIM-Signature in front for each key, signed at ``now``. It is ready to
        send, with doubled dots; what is signed is what arrives, with single dots. Raise MessageFormatError if
        it has no From header, which a signature must cover."""
        plain = _undo_dot_stuffing(message)
        end = plain.find(b"\r\n\r\n")
        head = plain[:end] if end >= 0 else plain.removesuffix(b"\r\n")
        counts, fields = _select_fields(_canonicalise_fields(head))
        if not counts[0]:
            raise MessageFormatError("the message has no From header, so it cannot be signed.")
        middle = b"%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            int(now.timestamp()),
            _format_field_list(counts),
            b64encode(_hash_body(plain, end + 4 if end >= 0 else len(plain))),
        )
        return b"".join([*(_build_signature_header(key, middle, fields) for key in self._keys), message])


def _build_signature_header(key: SigningKey, middle: bytes, fields: bytes) -> bytes:
    value = key.header_start + middle
    signed = b"%bdkim-signature:%b" % (fields, value.replace(b"\r\n ", b" "))
    signature = b64encode(key.sign(signed)).decode("ascii")
    return b"DKIM-Signature: %b%b\r\n" % (
        value,
        "\r\n ".join(_split(signature, _MAX_LINE_LENGTH - 4)).encode(),
    )


def _split(text: str, width: int) -> Iterator[str]:
    return (text[start : start + width] for start in range(0, len(text), width))


# --- canonical form -----------------------------------------------------------------------------------------


def _undo_dot_stuffing(message: bytes) -> bytes:
    """Return ``message`` as the receiver stores it (RFC 5321, section 4.5.2)."""
    return message.replace(b"\r\n.", b"\r\n") if _STUFFED_DOT.search(message) else message


def _canonicalise_fields(head: bytes) -> dict[bytes, list[bytes]]:
    """Return the canonical fields that may be signed, by name, in their order."""
    # Relaxed form (RFC 6376, section 3.4.2) of the whole header in one go: unfolded, with single spaces.
    if b"\t" in head:
        head = head.replace(b"\t", b" ")
    head = head.replace(b"\r\n ", b" ")
    while b"  " in head:
        head = head.replace(b"  ", b" ")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.rstrip(b" ").lower()
        if name in _FIELD_NAME_SET:
            fields.setdefault(name, []).append(b"%b:%b\r\n" % (name, value.strip(b" ")))
    return fields


def _select_fields(fields: dict[bytes, list[bytes]]) -> tuple[tuple[int, ...], bytes]:
    """Count each of ``_FIELD_NAMES`` and join the fields as they are hashed: of one name, the last first."""
    found = [fields.get(name, ()) for name in _FIELD_NAMES]
    return tuple(map(len, found)), b"".join(chain.from_iterable(map(reversed, found)))


@lru_cache(maxsize=16)
def _format_field_list(counts: Sequence[int]) -> bytes:
    """Return the value of ``h=``, folded: each name as often as ``counts`` says, ``_OVERSIGNED`` again."""
    lines, line = [], " h="
    for place, (name, count) in enumerate(zip(_OVERSIGNED + _SIGNED_IF_PRESENT, counts, strict=True)):
        for _ in range(count + (place < len(_OVERSIGNED))):
            if len(line) + len(name) + 1 > _MAX_LINE_LENGTH:
                lines.append(line)
                line = " "
            line += f"{name}:"
    return "\r\n".join([*lines, line]).removeprefix(" h=").removesuffix(":").encode()


def _hash_body(message: bytes, start: int) -> bytes:
    """Return the SHA-256 of the body from ``start`` in simple form (RFC 6376, section 3.4.3): it ends in
    exactly one CRLF, even if empty."""
    end = len(message)
    while end - start >= 2 and message.endswith(b"\r\n", 0, end):
        end -= 2
    digest = sha256(memoryview(message)[start:end])
    digest.update(b"\r\n")
    return digest.digest()


# --- keys ---------------------------------------------------------------------------------------------------


def load_rsa_key(path: Path, *, selector: str, domain: str) -> SigningKey:
    """Load an RSA key of at least 2048 bits from a PEM file. Raise DkimKeyError if it cannot be read, or is
    not such a key.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256

    remedy = Phrase(
        "Make one with `openssl genrsa -out %(path)s %(min_rsa_bits)s`.",
        path=path,
        min_rsa_bits=_MIN_RSA_BITS,
    )
    private = _read_private_key(path, remedy)
    if not isinstance(private, RSAPrivateKey):
        raise DkimKeyError(Phrase("%(path)s is not an RSA key. %(remedy)s", path=path, remedy=remedy))
    if private.key_size < _MIN_RSA_BITS:
        raise DkimKeyError(
            Phrase(
                "%(path)s has %(key_size)s bits, but receivers require %(min_rsa_bits)s. %(remedy)s",
                path=path,
                key_size=private.key_size,
                min_rsa_bits=_MIN_RSA_BITS,
                remedy=remedy,
            )
        )
    padding, algorithm = PKCS1v15(), SHA256()
    return SigningKey(
        record=make_dkim_record(private, selector=selector, domain=domain),
        header_start=_header_start("rsa-sha256", selector, domain),
        sign=lambda signed: private.sign(signed, padding, algorithm),
        is_slow=True,
    )


def load_ed25519_key(path: Path, *, selector: str, domain: str) -> SigningKey:
    """Load an Ed25519 key from a PEM file. Raise DkimKeyError if it cannot be read, or is not such a key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    remedy = Phrase("Make one with `openssl genpkey -algorithm ed25519 -out %(path)s`.", path=path)
    private = _read_private_key(path, remedy)
    if not isinstance(private, Ed25519PrivateKey):
        raise DkimKeyError(Phrase("%(path)s is not an Ed25519 key. %(remedy)s", path=path, remedy=remedy))
    return SigningKey(
        record=make_dkim_record(private, selector=selector, domain=domain),
        header_start=_header_start("ed25519-sha256", selector, domain),
        # RFC 8463, section 3: what is signed is the hash.
        sign=lambda signed: private.sign(sha256(signed).digest()),
    )


def _header_start(algorithm: str, selector: str, domain: str) -> bytes:
    return f"v=1; a={algorithm}; c=relaxed/simple;\r\n d={domain};\r\n s={selector}; t=".encode("ascii")


def _read_private_key(path: Path, remedy: str) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise DkimKeyError(
            Phrase(
                "%(path)s cannot be read: %(error)s. %(remedy)s",
                path=path,
                error=error.strerror,
                remedy=remedy,
            )
        ) from error
    except TypeError as error:
        raise DkimKeyError(
            Phrase(
                "%(path)s is protected by a passphrase, which cannot be entered here. Write the key "
                "without one: `openssl pkey -in %(path)s -out FILE`.",
                path=path,
            )
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DkimKeyError(
            Phrase(
                "%(path)s does not contain a private key in PEM format. %(remedy)s",
                path=path,
                remedy=remedy,
            )
        ) from error

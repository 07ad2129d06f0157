"""Keys and a message for DKIM, and dkimpy to verify signatures."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from mailer.smtp.dkim import DkimRecord, DkimSigner

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MESSAGE = (
    b"From: UNESCO Beijing <news@example.org>\r\n"
    b"To: Li Wei <li@example.org>\r\n"
    b"Subject: Living in harmony with nature\r\n"
    b"Date: Sun, 01 Mar 2026 09:00:00 +0000\r\n"
    b"Message-ID: <c3.s12.5fbeae7c85f8@example.org>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"List-Unsubscribe: <https://news.example.org/u/AQAAAA>, <mailto:news@example.org?subject=leave>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"List-Id: <newsletter.example.org>\r\n"
    b"Precedence: bulk\r\n"
    b'Content-Type: text/plain; charset="utf-8"\r\n'
    b"\r\n"
    b"Dear Li Wei,\r\n"
    b"\r\n"
    b"news from Beijing.\r\n"
)


def to_pem(key: RSAPrivateKey | Ed25519PrivateKey, lock: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())


def write_keys(folder: Path, rsa_key: RSAPrivateKey) -> Path:
    """Write ``rsa_key`` and a new Ed25519 key into ``folder``, which is returned."""
    (folder / "rsa.pem").write_bytes(to_pem(rsa_key))
    (folder / "ed25519.pem").write_bytes(to_pem(Ed25519PrivateKey.generate()))
    return folder


def make_dns_lookup(records: tuple[DkimRecord, ...]) -> Callable[..., bytes | None]:
    """A DNS lookup that finds ``records`` and nothing else."""
    known = {f"{record.name}.".encode(): record.text.encode() for record in records}

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        return known.get(name)

    return look_up


def verify(message: bytes, signer: DkimSigner) -> list[bool]:
    """Whether dkimpy verifies each signature on ``message``, from which dot-stuffing has been removed."""
    look_up = make_dns_lookup(signer.records)
    verdicts = []
    for number in range(len(signer.records)):
        try:
            verdicts.append(dkim.DKIM(message).verify(number, dnsfunc=look_up))
        except dkim.ValidationError:
            verdicts.append(False)
    return verdicts

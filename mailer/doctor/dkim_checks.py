"""Checks the DKIM keys: here, and as the DNS has them."""

import binascii
import stat
from base64 import b64decode
from collections.abc import Iterator, Mapping

from locales.phrase import Phrase, gettext_noop, read_error
from mailer.dispatch.sending_settings import load_signer
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity
from mailer.errors import ConfigurationError
from mailer.workspace import Workspace

_GOOD_RSA_BITS = 2048
_LEAST_RSA_BITS = 1024  # RFC 8301 §3.2: receivers must ignore shorter ones
_SUBJECT = "dkim"


def check_dkim(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Look for the key of each signature."""
    for key in identity.keys:
        yield from check_published_key(key.name, lookups, expected=key.text, zone_line=key.zone_line)
    if identity.keys:
        return
    if identity.selector:
        name = f"{identity.selector}._domainkey.{identity.signing_domain}"
        yield from check_published_key(name, lookups)
        return
    message = gettext_noop(
        "nobody has said who signs your mail, so the signature cannot be checked. If your relay "
        "signs, set [dkim] selector to its selector, and `mailer doctor --message FILE` reads the "
        "signature of a message that arrived; otherwise make a key, as docs/dkim.md shows."
    )
    yield find_doubtful(_SUBJECT, "dkim-unknown", message)


def check_published_key(
    name: str, lookups: Lookups, *, expected: str = "", zone_line: str = ""
) -> Iterator[Diagnosis]:
    """Judge the key at ``name``, such as ``news1._domainkey.example.org``.

    ``expected`` is the text that belongs there, and ``zone_line`` the record to publish; both are "" of a key
    that a relay keeps."""
    records = lookups.find_texts(name)
    if not records:
        advice = (
            gettext_noop("Publish this record.")
            if zone_line
            else gettext_noop("Publish the record that your relay’s provider shows.")
        )
        message = Phrase(
            "there is no key at %(name)s, so receivers cannot check your signatures. %(advice)s",
            name=name,
            advice=advice,
        )
        yield find_bad(_SUBJECT, "dkim-record-missing", message, record=zone_line)
        return
    if len(records) > 1:
        message = Phrase(
            "there are %(records)s TXT records at %(name)s, and receivers do not know which key to "
            "take. Remove all but one.",
            records=len(records),
            name=name,
        )
        yield find_bad(_SUBJECT, "dkim-record-several", message, record=zone_line)
        return
    fault = _judge_record(name, records[0], expected, zone_line)
    if fault is not None:
        yield fault
        return
    if "y" in _read_tags(records[0]).get("t", "").split(":"):
        message = Phrase(
            "the key at %(name)s says t=y, “only a test”: receivers may ignore your signatures. Remove t=y.",
            name=name,
        )
        yield find_doubtful(_SUBJECT, "dkim-test-mode", message, record=zone_line)
        return
    words = (
        gettext_noop("the key at %(name)s is published and fits yours")
        if expected
        else gettext_noop("the key at %(name)s is published")
    )
    yield find_good(_SUBJECT, Phrase(words, name=name))


def _judge_record(name: str, record: str, expected: str, zone_line: str) -> Diagnosis | None:
    tags = _read_tags(record)
    advice = (
        gettext_noop("Publish this record instead.")
        if zone_line
        else gettext_noop("Publish what your relay’s provider shows.")
    )
    if "p" in tags and not tags["p"]:
        message = Phrase(
            "the key at %(name)s is revoked (p= is empty), so every signature counts as forged. %(advice)s",
            name=name,
            advice=advice,
        )
        return find_bad(_SUBJECT, "dkim-key-revoked", message, record=zone_line)
    key = _decode(tags.get("p", ""))
    if (
        tags.get("v", "DKIM1") != "DKIM1"
        or tags.get("k", "rsa") not in {"rsa", "ed25519"}
        or not key
        or "sha256" not in tags.get("h", "sha256").split(":")
        or not {"*", "email"} & set(tags.get("s", "*").split(":"))
    ):
        message = Phrase(
            "the record at %(name)s is not a key that receivers can use: %(record)s. %(advice)s",
            name=name,
            record=record[:80],
            advice=advice,
        )
        return find_bad(_SUBJECT, "dkim-record-syntax", message, record=zone_line)
    bits = _count_rsa_bits(key) if tags.get("k", "rsa") == "rsa" else _GOOD_RSA_BITS
    if bits == 0:
        message = Phrase(
            "the record at %(name)s holds no RSA key: %(record)s. %(advice)s",
            name=name,
            record=record[:80],
            advice=advice,
        )
        return find_bad(_SUBJECT, "dkim-record-syntax", message, record=zone_line)
    if bits < _GOOD_RSA_BITS:
        report = find_bad if bits < _LEAST_RSA_BITS else find_doubtful
        message = Phrase(
            "the key at %(name)s has only %(bits)s bits, and large receivers no longer trust less "
            "than %(good_rsa_bits)s. Replace it by a longer one.",
            name=name,
            bits=bits,
            good_rsa_bits=_GOOD_RSA_BITS,
        )
        return report(_SUBJECT, "dkim-key-short", message, record=zone_line)
    if expected and _decode(_read_tags(expected)["p"]) != key:
        message = Phrase(
            "the key at %(name)s is not the one you sign with, so every signature counts as "
            "forged. %(advice)s",
            name=name,
            advice=advice,
        )
        return find_bad(_SUBJECT, "dkim-key-differs", message, record=zone_line)
    return None


def _read_tags(record: str) -> Mapping[str, str]:
    """Return the tags of a record (RFC 6376 §3.2); blanks in a value mean nothing here."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in pairs if name.strip()}


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _count_rsa_bits(key: bytes) -> int:
    """Return the length of an RSA key; 0 if this is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        loaded = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        return 0
    return loaded.key_size if isinstance(loaded, RSAPublicKey) else 0


def check_signing_keys(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check the DKIM keys, and show the DNS records they need."""
    dkim = workspace.settings.dkim
    try:
        signer = load_signer(workspace.settings, workspace.root)
    except ConfigurationError as error:
        yield find_bad("dkim", "dkim-key-unusable", read_error(error))
        return
    if signer is None:
        words = (
            Phrase(
                "no DKIM key is set, so the relay signs with %(selector)s",
                selector=dkim.selector,
            )
            if dkim.selector
            else gettext_noop("no DKIM key is set, so the relay signs or nobody does")
        )
        yield find_good("dkim", words)
        return
    for name in (dkim.key_file, dkim.ed25519_key_file):
        if name and stat.S_IMODE((workspace.root / name).stat().st_mode) & 0o077:
            message = Phrase("other users can read %(name)s. Run: chmod 600 %(name)s", name=name)
            yield find_bad("dkim", "dkim-key-exposed", message)
    for record in signer.records:
        message = Phrase(
            "the signing key works. The DNS must have its record at %(record)s",
            record=record.name,
        )
        yield find_good("dkim", message, record=record.zone_line)

"""What the doctor finds: a verdict on one subject, in words, with the DNS record to publish."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType

from locales.phrase import gettext_noop


class Health(StrEnum):
    """How serious a finding is."""

    good = "good"
    """No problem."""

    doubtful = "doubtful"
    """Works for testing, but not for mail to real readers."""

    bad = "bad"
    """Must be fixed before anything is sent."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The result of one check.

    ``message`` says what is and what to do; it is a phrase if it has values in it. ``record`` is the DNS
    record to publish, as a line of a zone file, or "". ``code`` names the finding's page in
    ``explanations.toml``; only a good finding may have "".
    """

    subject: str
    verdict: Health
    message: str
    record: str = ""
    code: str = ""

    @property
    def sentence(self) -> str:
        """The message with a capital at its beginning, but for names, addresses and settings."""
        return capitalise(self.message)

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "accessibility": gettext_noop("Accessibility"),
        "alignment": gettext_noop("Alignment"),
        "clock": gettext_noop("Clock"),
        "database": gettext_noop("Database"),
        "disk": gettext_noop("Disk"),
        "fakes": gettext_noop("Fakes"),
        "feedback": gettext_noop("What comes back"),
        "files": gettext_noop("Files"),
        "keys": gettext_noop("Keys"),
        "leaving by mail": gettext_noop("Leaving by mail"),
        "message": gettext_noop("Message"),
        "metrics": gettext_noop("Metrics"),
        "providers": gettext_noop("Providers"),
        "public address": gettext_noop("Public address"),
        "relay": gettext_noop("Relay"),
        "return path": gettext_noop("Return path"),
        "sender": gettext_noop("Sender"),
        "senders": gettext_noop("Who sends in your name"),
        "sign-in": gettext_noop("Sign-in"),
        "space": gettext_noop("Space on the disk"),
        "templates": gettext_noop("Templates"),
        "trial": gettext_noop("Trial mode"),
        "web": gettext_noop("Web pages"),
        "webhook": gettext_noop("Webhook"),
        "bimi": "BIMI",
        "dkim": "DKIM",
        "dmarc": "DMARC",
        "dns": "DNS",
        "mta-sts": "MTA-STS",
        "mx": "MX",
        "ptr": "PTR",
        "python": "Python",
        "spf": "SPF",
        "tls-rpt": "TLS-RPT",
    }
)
"""The headings of findings by their subjects, to be translated. Of several, the name of one follows the
subject: "relay east".
"""


def capitalise(words: str) -> str:
    """``words`` with a capital at their beginning, but for names, addresses and settings."""
    first = words.split(" ", 1)[0].replace("’", "")
    return words[:1].upper() + words[1:] if first.isalpha() and first.islower() else words


@dataclass(frozen=True, kw_only=True)
class RecordPart:
    """A part of a DNS record as the form of a DNS provider asks for it: "Name", "Type" or "Value", to be
    translated."""

    name: str
    value: str


def split_record(record: str) -> tuple[RecordPart, ...]:
    """The name, the type and the value of ``record``, a line of a zone file."""
    name, _, rest = record.partition(" IN ")
    kind, _, value = rest.partition(" ")
    if kind == "TXT":
        value = "".join(re.findall(r'"([^"]*)"', value))
    parts = (
        (gettext_noop("Name"), name.rstrip(".")),
        (gettext_noop("Type"), kind),
        (gettext_noop("Value"), value),
    )
    return tuple(RecordPart(name=each, value=said) for each, said in parts)


def find_good(subject: str, message: str, *, code: str = "", record: str = "") -> Diagnosis:
    """All is well with ``subject``, or what is missing does no harm."""
    return Diagnosis(subject=subject, verdict=Health.good, message=message, code=code, record=record)


def find_doubtful(subject: str, code: str, message: str, *, record: str = "") -> Diagnosis:
    """``subject`` works, but not well enough for real readers."""
    return Diagnosis(subject=subject, verdict=Health.doubtful, message=message, code=code, record=record)


def find_bad(subject: str, code: str, message: str, *, record: str = "") -> Diagnosis:
    """``subject`` must be mended before anything is sent."""
    return Diagnosis(subject=subject, verdict=Health.bad, message=message, code=code, record=record)

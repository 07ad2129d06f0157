"""What the doctor finds: a verdict on one subject, in words, with the DNS record to publish."""

import re
from dataclasses import asdict, dataclass
from enum import StrEnum


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

    ``message`` says what is and what to do. ``record`` is the DNS record to publish, as a line of a zone
    file, or "". ``code`` names the finding's page in ``explanations.toml``; only a good finding may have "".
    """

    subject: str
    verdict: Health
    message: str
    record: str = ""
    code: str = ""

    @property
    def sentence(self) -> str:
        """The message with a capital at its beginning, but for names, addresses and settings."""
        word = self.message.split(" ", 1)[0]
        is_common = word.isalpha() and word.islower()
        return self.message[:1].upper() + self.message[1:] if is_common else self.message

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class RecordPart:
    """A part of a DNS record as the form of a DNS provider asks for it: "name", "type" or "value"."""

    name: str
    value: str


def split_record(record: str) -> tuple[RecordPart, ...]:
    """The name, the type and the value of ``record``, a line of a zone file."""
    name, _, rest = record.partition(" IN ")
    kind, _, value = rest.partition(" ")
    if kind == "TXT":
        value = "".join(re.findall(r'"([^"]*)"', value))
    parts = (("name", name.rstrip(".")), ("type", kind), ("value", value))
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

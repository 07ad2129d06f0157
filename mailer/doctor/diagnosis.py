"""What the doctor finds: a verdict on one subject, in words, with the DNS record to publish."""

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
    """The result of one check. ``record`` is the DNS record to publish, ready to copy, or ""."""

    subject: str
    verdict: Health
    message: str
    record: str = ""

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}

"""What the doctor finds: its words, their explanations, and the last diagnosis, which is kept."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from locales.phrase import WordedEnum, dump_words, gettext_noop, load_words
from mailer.atomic_write import write_atomically
from mailer.workspace import Workspace

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
_FILE = Path(__file__).with_name("explanations.toml")
FILE_NAME: Final = "doctor.json"


class Health(WordedEnum):
    """How serious a finding is."""

    good = ("good", gettext_noop("Good"), "right")
    doubtful = (
        "doubtful",
        gettext_noop("Doubtful: mail arrives, but not everywhere or not as well as it could"),
        "careful",
    )
    bad = ("bad", gettext_noop("Bad: mend this before you send"), "wrong")


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


def capitalise(words: str) -> str:
    """Give ``words`` a capital at their beginning, but for names, addresses and settings."""
    first = words.split(" ", 1)[0].replace("’", "")
    return words[:1].upper() + words[1:] if first.isalpha() and first.islower() else words


def split_record(record: str) -> tuple[tuple[str, str], ...]:
    """Return the parts of ``record``, a line of a zone file, as the form of a DNS provider asks for them:
    pairs of "Name", "Type" or "Value", to be translated, and what is written there."""
    name, _, rest = record.partition(" IN ")
    kind, _, value = rest.partition(" ")
    if kind == "TXT":
        value = "".join(re.findall(r'"([^"]*)"', value))
    return (
        (gettext_noop("Name"), name.rstrip(".")),
        (gettext_noop("Type"), kind),
        (gettext_noop("Value"), value),
    )


def find_good(subject: str, message: str, *, code: str = "", record: str = "") -> Diagnosis:
    """All is well with ``subject``, or what is missing does no harm."""
    return Diagnosis(subject=subject, verdict=Health.good, message=message, code=code, record=record)


def find_doubtful(subject: str, code: str, message: str, *, record: str = "") -> Diagnosis:
    """``subject`` works, but not well enough for real readers."""
    return Diagnosis(subject=subject, verdict=Health.doubtful, message=message, code=code, record=record)


def find_bad(subject: str, code: str, message: str, *, record: str = "") -> Diagnosis:
    """``subject`` must be mended before anything is sent."""
    return Diagnosis(subject=subject, verdict=Health.bad, message=message, code=code, record=record)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The page of one finding: what is wrong, why that matters for the mail, and what to do, each in whole
    sentences. ``sources`` are web addresses.
    """

    code: str
    title: str
    why: str
    advice: str
    sources: Sequence[str] = ()


@cache
def read_explanations() -> Mapping[str, Explanation]:
    """Return the pages of all findings by code, in the order of the file. Raise TypeError if an entry lacks a
    key, or has one that pages do not have.
    """
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return MappingProxyType({code: Explanation(code=code, **entry) for code, entry in entries.items()})


def describe_finding(explanation: Explanation) -> str:
    """Return the page of one finding, in Markdown."""
    lines = [f"**{explanation.title}**", "", explanation.why, "", explanation.advice]
    if explanation.sources:
        lines += ["", " ".join(f"<{source}>" for source in explanation.sources)]
    return "\n".join(lines)


def describe_findings() -> str:
    """Return every page, one section for each code."""
    sections = (f"### {code}\n\n{describe_finding(each)}" for code, each in read_explanations().items())
    return "\n\n".join(sections)


@dataclass(frozen=True, kw_only=True)
class KeptDiagnosis:
    """What the doctor found at ``looked_at`` (aware)."""

    looked_at: datetime
    findings: tuple[Diagnosis, ...]


def list_findings(findings: Iterable[Diagnosis], verdict: Health) -> list[Diagnosis]:
    """Return the findings of this gravity; those about one subject stand together."""
    found = [finding for finding in findings if finding.verdict is verdict]
    subjects = [finding.subject for finding in found]
    return sorted(found, key=lambda finding: subjects.index(finding.subject))


def keep_diagnosis(workspace: Workspace, findings: Sequence[Diagnosis], *, now: datetime) -> None:
    """Keep ``findings`` in place of those before. Raise OSError if the file cannot be written; the one before
    stays.
    """
    kept = {"looked_at": now.isoformat(), "findings": list(map(_dump_finding, findings))}
    write_atomically(workspace.root / FILE_NAME, json.dumps(kept, ensure_ascii=False, indent=1).encode())


def _dump_finding(finding: Diagnosis) -> dict[str, Any]:
    """Return the finding with the phrase that its message is, so that it can be said in any language."""
    return {**finding.as_dict(), "message": dump_words(finding.message)}


def _load_finding(values: dict[str, Any]) -> Diagnosis:
    read = {"verdict": Health(values["verdict"]), "message": load_words(values["message"])}
    return Diagnosis(**{**values, **read})


def read_diagnosis(workspace: Workspace) -> KeptDiagnosis | None:
    """Read what was kept; None if there is nothing, or nothing of this version."""
    try:
        kept = json.loads((workspace.root / FILE_NAME).read_bytes())
        looked_at = datetime.fromisoformat(kept["looked_at"])
        findings = tuple(map(_load_finding, kept["findings"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None if looked_at.tzinfo is None else KeptDiagnosis(looked_at=looked_at, findings=findings)

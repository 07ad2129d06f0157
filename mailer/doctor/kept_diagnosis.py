"""The last result of the doctor, kept in the workspace: looking takes a minute, and a page does not.

The file has what ``mailer doctor`` prints, so it is for its owner alone. It may be deleted at any time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from locales.phrase import Phrase, load_phrase
from mailer.atomic_write import write_atomically
from mailer.doctor.diagnosis import Diagnosis, Health
from mailer.workspace import Workspace

FILE_NAME: Final = "doctor.json"


@dataclass(frozen=True, kw_only=True)
class KeptDiagnosis:
    """What the doctor found at ``looked_at`` (aware)."""

    looked_at: datetime
    findings: tuple[Diagnosis, ...]

    def count(self, verdict: Health) -> int:
        """How many findings are of this gravity."""
        return sum(finding.verdict is verdict for finding in self.findings)


def keep_diagnosis(workspace: Workspace, findings: Sequence[Diagnosis], *, now: datetime) -> None:
    """Keep ``findings`` in place of those before.

    Raises:
        OSError: the file cannot be written; the one before stays.
    """
    kept = {"looked_at": now.isoformat(), "findings": list(map(_dump_finding, findings))}
    write_atomically(workspace.root / FILE_NAME, json.dumps(kept, ensure_ascii=False, indent=1).encode())


def _dump_finding(finding: Diagnosis) -> dict[str, Any]:
    """The finding with the phrase that its message is, so that it can be said in any language."""
    dumped: dict[str, Any] = {**finding.as_dict()}
    if isinstance(finding.message, Phrase):
        dumped["message"] = finding.message.dump()
    return dumped


def _load_finding(values: dict[str, Any]) -> Diagnosis:
    message = values["message"] if isinstance(values["message"], str) else load_phrase(values["message"])
    return Diagnosis(**{**values, "verdict": Health(values["verdict"]), "message": message})


def read_diagnosis(workspace: Workspace) -> KeptDiagnosis | None:
    """Read what was kept; None if there is nothing, or nothing of this version."""
    try:
        kept = json.loads((workspace.root / FILE_NAME).read_bytes())
        looked_at = datetime.fromisoformat(kept["looked_at"])
        findings = tuple(map(_load_finding, kept["findings"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None if looked_at.tzinfo is None else KeptDiagnosis(looked_at=looked_at, findings=findings)

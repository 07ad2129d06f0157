"""The findings of the doctor as its page shows them: by how serious they are, and by subject."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailer.doctor.diagnosis import Diagnosis, Health, RecordPart, split_record
from mailer.doctor.explanations import Explanation, read_explanations
from mailer.i18n import gettext_noop

_VERDICTS: Final = (
    (Health.bad, gettext_noop("Bad: mend this before you send"), "wrong"),
    (
        Health.doubtful,
        gettext_noop("Doubtful: mail arrives, but not everywhere or not as well as it could"),
        "careful",
    ),
    (Health.good, gettext_noop("Good"), "right"),
)


@dataclass(frozen=True, kw_only=True)
class ShownFinding:
    """A finding with the parts of its DNS record, and the page that explains it, if there is one."""

    subject: str
    words: str
    record: tuple[RecordPart, ...]
    explanation: Explanation | None


@dataclass(frozen=True, kw_only=True)
class FindingGroup:
    """The findings of one gravity: the ``title``, to be translated, the tone of their mark, and each."""

    verdict: Health
    title: str
    tone: str
    findings: tuple[ShownFinding, ...]


def group_findings(findings: Sequence[Diagnosis]) -> Iterator[FindingGroup]:
    """Group findings, the bad ones first; findings about one subject stand together."""
    for verdict, title, tone in _VERDICTS:
        found = [finding for finding in findings if finding.verdict is verdict]
        order = {subject: place for place, subject in reversed(list(enumerate(one.subject for one in found)))}
        shown = tuple(_show(one) for one in sorted(found, key=lambda one: order[one.subject]))
        if shown:
            yield FindingGroup(verdict=verdict, title=title, tone=tone, findings=shown)


def _show(finding: Diagnosis) -> ShownFinding:
    is_explained = finding.verdict is not Health.good
    return ShownFinding(
        subject=finding.subject,
        words=finding.sentence,
        record=split_record(finding.record) if finding.record else (),
        explanation=read_explanations().get(finding.code) if is_explained else None,
    )

"""The findings of the doctor as its page shows them: by how serious they are, and by subject."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailer.doctor.diagnosis import (
    SUBJECTS,
    Diagnosis,
    Explanation,
    Health,
    RecordPart,
    capitalise,
    read_explanations,
    split_record,
)
from mailer.i18n import Translator, gettext_noop

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
    """A finding in the reader's language, with the parts of its DNS record and the page that explains it, if
    there is one. ``is_english`` says that its words have no translation."""

    subject: str
    words: str
    is_english: bool
    record: tuple[RecordPart, ...]
    explanation: Explanation | None


@dataclass(frozen=True, kw_only=True)
class FindingGroup:
    """The findings of one gravity: the ``title``, to be translated, the tone of their mark, and each."""

    verdict: Health
    title: str
    tone: str
    findings: tuple[ShownFinding, ...]


def group_findings(findings: Sequence[Diagnosis], translator: Translator) -> Iterator[FindingGroup]:
    """Group findings, the bad ones first; findings about one subject stand together."""
    for verdict, title, tone in _VERDICTS:
        found = [finding for finding in findings if finding.verdict is verdict]
        order = {subject: place for place, subject in reversed(list(enumerate(one.subject for one in found)))}
        shown = tuple(_show(one, translator) for one in sorted(found, key=lambda one: order[one.subject]))
        if shown:
            yield FindingGroup(verdict=verdict, title=title, tone=tone, findings=shown)


def _show(finding: Diagnosis, translator: Translator) -> ShownFinding:
    is_explained = finding.verdict is not Health.good
    words = translator.find_words(finding.message)
    return ShownFinding(
        subject=_name_subject(finding.subject, translator),
        words=capitalise(finding.message if words is None else words),
        is_english=words is None and " " in finding.message,
        record=split_record(finding.record) if finding.record else (),
        explanation=read_explanations().get(finding.code) if is_explained else None,
    )


def _name_subject(subject: str, translator: Translator) -> str:
    """The heading of a subject; the name of a relay, a sign-in or a webhook follows as it is."""
    if subject in SUBJECTS:
        return translator.translate(SUBJECTS[subject])
    kind, _, name = subject.partition(" ")
    return f"{translator.translate(SUBJECTS[kind])} {name}" if kind in SUBJECTS else subject

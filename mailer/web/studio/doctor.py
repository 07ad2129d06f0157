"""The page of what the doctor finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.doctor.diagnosis import (
    SUBJECTS,
    Diagnosis,
    Explanation,
    Health,
    RecordPart,
    capitalise,
    read_diagnosis,
    read_explanations,
    split_record,
)
from mailer.i18n import Translator, gettext_noop
from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

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


def show_doctor(page: PageDep) -> Response:
    """Show what the doctor found last; htmx asks for it again while a look is under way."""
    kept = read_diagnosis(page.state.workspace)
    return page.render(
        "doctor_findings.html" if page.is_fragment else "doctor.html",
        section="doctor",
        began_at=page.state.examination.began_at,
        fault=page.state.examination.fault,
        looked_at=None if kept is None else kept.looked_at,
        groups=[] if kept is None else list(group_findings(kept.findings, page.translator)),
    )


def look_again(page: PageDep) -> Response:
    """Have the doctor look. While it does, another request begins no second look."""
    if page.state.examination.begin():
        with page.state.write_session() as session:
            record_activity(session, page.actor, Act.asked_doctor, now=page.state.clock())
    return page.redirect("/doctor")


def _list_findings(page: StudioPage) -> Iterator[WaitingItem]:
    """What is bad, or else what is doubtful, as it was found last."""
    kept = read_diagnosis(page.state.workspace)
    if kept is None:
        return
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    bad, doubtful = kept.count(Health.bad), kept.count(Health.doubtful)
    if not (bad or doubtful):
        return
    if bad:
        words = plural("%(num)s thing to mend before you send", "%(num)s things to mend before you send", bad)
    else:
        words = plural("%(num)s doubt about your mail", "%(num)s doubts about your mail", doubtful)
    yield WaitingItem(
        title=translate(gettext_noop("Doctor")),
        words=words % {"num": bad or doubtful},
        act=translate(gettext_noop("See what to do")),
        path="/doctor",
        tone="wrong" if bad else "careful",
        detail=page.translator.format_day(kept.looked_at.date()),
    )


WAITING_FINDINGS = WaitingSource(
    name=gettext_noop("Doctor"), permission=Permission.manage, list_items=_list_findings
)


ROUTES = (
    StudioRoute("/doctor", show_doctor, GET, Permission.manage),
    StudioRoute("/doctor", look_again, POST, Permission.manage),
)

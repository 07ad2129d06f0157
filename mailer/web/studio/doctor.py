"""The page of what the doctor finds."""

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from mailer.activity import deeds
from mailer.doctor.diagnosis import (
    SUBJECTS,
    Diagnosis,
    Health,
    capitalise,
    list_findings,
    read_diagnosis,
    read_explanations,
    split_record,
)
from mailer.i18n import Translator, gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.waiting_item import WaitingItem

ROUTES = Routes()


@ROUTES.get_route("/doctor", Permission.manage)
def show_doctor(page: PageDep) -> Response:
    """Show what the doctor found last; htmx asks for it again while a look is under way."""
    kept = read_diagnosis(page.state.workspace)
    found = {} if kept is None else {one: list_findings(kept.findings, one) for one in reversed(Health)}
    return page.render(
        "doctor_findings.html" if page.is_fragment else "doctor.html",
        began_at=page.state.examination.began_at,
        fault=page.state.examination.fault,
        looked_at=None if kept is None else kept.looked_at,
        groups=[
            (verdict, [_describe(one, page.translator) for one in some])
            for verdict, some in found.items()
            if some
        ],
    )


@ROUTES.post_route("/doctor", Permission.manage)
def look_again(page: PageDep) -> Response:
    """Have the doctor look. While it does, another request begins no second look."""
    if page.state.examination.begin():
        with page.writing() as session:
            page.record(session, deeds.asked_doctor())
    return page.redirect("/doctor")


def _describe(finding: Diagnosis, translator: Translator) -> Mapping[str, Any]:
    """A finding in the reader's language, with the parts of its DNS record and the page that explains it, if
    there is one. ``is_english`` says that its words have no translation."""
    words = translator.find_words(finding.message)
    return {
        "subject": _name_subject(finding.subject, translator),
        "words": capitalise(finding.message if words is None else words),
        "is_english": words is None and " " in finding.message,
        "record": split_record(finding.record) if finding.record else (),
        "explanation": read_explanations().get(finding.code),
    }


def _name_subject(subject: str, translator: Translator) -> str:
    """The heading of a subject; the name of a relay, a sign-in or a webhook follows as it is."""
    if subject in SUBJECTS:
        return translator.translate(SUBJECTS[subject])
    kind, _, name = subject.partition(" ")
    return f"{translator.translate(SUBJECTS[kind])} {name}" if kind in SUBJECTS else subject


def list_finding_items(page: StudioPage) -> Iterator[WaitingItem]:
    """What is bad, or else what is doubtful, as it was found last."""
    kept = read_diagnosis(page.state.workspace)
    if kept is None:
        return
    translate = page.translate
    bad, doubtful = (len(list_findings(kept.findings, one)) for one in (Health.bad, Health.doubtful))
    if not (bad or doubtful):
        return
    if bad:
        words = page.ngettext(
            "%(num)s thing to mend before you send", "%(num)s things to mend before you send", bad
        )
    else:
        words = page.ngettext("%(num)s doubt about your mail", "%(num)s doubts about your mail", doubtful)
    yield WaitingItem(
        title=translate(gettext_noop("Doctor")),
        words=words,
        act=translate(gettext_noop("See what to do")),
        path="/doctor",
        tone="wrong" if bad else "careful",
        detail=page.translator.format_day(kept.looked_at.date()),
    )

"""What the doctor found, for the first page of managers."""

from collections.abc import Iterator

from mailer.doctor.diagnosis import Health, read_diagnosis
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource


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

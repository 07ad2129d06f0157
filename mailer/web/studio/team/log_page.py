"""The log of who did what, and taking it away as a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from markupsafe import Markup, escape
from sqlmodel import Session, select
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.log import (
    COMMAND_LINE,
    LogEntry,
    LogFilter,
    list_logged_editions,
    read_log,
    write_log_csv,
)
from mailer.activity.record import record_activity
from mailer.database.team_models import TeamMember
from mailer.i18n import Translator, gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.sign_in.confirmation import require_confirmed

_BAD_DAY = gettext_noop("Write the day as year, month and day, such as 2026-03-31.")
_SUBJECT = "%(subject)s"


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """An entry as the page shows it: a sentence with its subject marked up, and links where there are."""

    entry: LogEntry
    sentence: Markup
    is_command_line: bool


def show_log(page: PageDep) -> Response:
    """Show the log, newest first."""
    query = page.request.query_params
    wanted, errors = _read_filter(page, query)
    before = read_row_number(query.get("before", ""))
    with page.state.read_session() as session:
        found = read_log(session, wanted, before=before)
        people = _list_people(session)
        editions = list_logged_editions(session)
    chosen = {name: query.get(name, "")[:200] for name in ("person", "act", "edition", "day")}
    given = {name: value for name, value in chosen.items() if value}
    return page.render(
        "log.html",
        status=422 if errors else 200,
        section="team",
        days=[] if errors else _group_by_day(found.entries, page.translator),
        older="" if found.older is None else page.make_path("/log", None, **given, before=str(found.older)),
        is_filtered=bool(given),
        is_later_page=before is not None,
        people=people,
        command_line=COMMAND_LINE,
        acts=_list_acts(page.translator),
        editions=editions,
        chosen=chosen,
        errors=errors,
        problems=dict(errors),
    )


def export_log(page: PageDep, form: OwnFormDep) -> Response:
    """Send the chosen part of the log as CSV, and write down that it was taken."""
    require_confirmed(page)
    wanted, errors = _read_filter(page, dict(form.fields))
    if errors:
        return page.redirect("/log", day=form.get("day")[:200])
    chosen = "; ".join(f"{name}: {value}" for name, value in form.fields if value)
    with page.state.write_session() as session:
        record_activity(session, page.actor, Act.exported_log, detail=chosen, now=page.state.clock())
    headers = {"content-disposition": 'attachment; filename="log.csv"'}
    return StreamingResponse(_write_csv(page, wanted), media_type="text/csv; charset=utf-8", headers=headers)


def _write_csv(page: StudioPage, wanted: LogFilter) -> Iterator[bytes]:
    # Without this mark, Excel reads the file in the system's own encoding instead of UTF-8.
    yield b"\xef\xbb\xbf"
    with page.state.read_session() as session:
        for part in write_log_csv(session, wanted):
            yield part.encode("utf-8")


def _read_filter(page: StudioPage, given: Mapping[str, str]) -> tuple[LogFilter, list[tuple[str, str]]]:
    """What is wanted, and what is wrong with it. A person or an act that does not exist finds nothing."""
    person, act, edition = (given.get(name, "") for name in ("person", "act", "edition"))
    day, errors = None, []
    if given.get("day"):
        try:
            day = date.fromisoformat(given["day"])
        except ValueError:
            errors = [("day", page.translator.translate(_BAD_DAY))]
    if day is not None and not 1970 <= day.year <= 9000:
        day, errors = None, [("day", page.translator.translate(_BAD_DAY))]
    if person != COMMAND_LINE and read_row_number(person) is None:
        person = ""
    return (
        LogFilter(
            person=person,
            act=Act(act) if act in list(Act) else None,
            edition=edition.replace("\0", ""),
            day=day,
        ),
        errors,
    )


def _list_people(session: Session) -> Sequence[tuple[int, str]]:
    """All who ever belonged to the team, by name."""
    rows = session.exec(select(TeamMember.id, TeamMember.name)).all()
    return sorted(((number or 0, name) for number, name in rows), key=lambda one: one[1].lower())


def _list_acts(translator: Translator) -> list[tuple[str, str]]:
    """The acts with their words, by the words; an ellipsis stands for the subject."""
    named = [(act.value, translator.translate(act.words, subject="…")) for act in Act]
    return sorted(named, key=lambda one: one[1])


def _group_by_day(entries: Sequence[LogEntry], translator: Translator) -> list[tuple[date, list[LogLine]]]:
    lines = (_describe(entry, translator) for entry in entries)
    return [(day, list(group)) for day, group in groupby(lines, key=lambda line: line.entry.at.date())]


def _describe(entry: LogEntry, translator: Translator) -> LogLine:
    words = entry.act.words if entry.act is not None else ""
    subject = Markup("<bdi>{}</bdi>").format(entry.subject)
    if _SUBJECT in words:
        sentence = translator.translate_html(words, subject=subject)
    else:
        sentence = translator.translate_html(words) if words else escape(entry.act_name)
        if entry.subject:
            sentence = Markup("{}: {}").format(sentence, subject)
    return LogLine(entry=entry, sentence=sentence, is_command_line=entry.member_id is None)


ROUTES = (
    StudioRoute("/log", show_log, GET, Permission.manage),
    StudioRoute("/log/export", export_log, POST, Permission.manage),
)

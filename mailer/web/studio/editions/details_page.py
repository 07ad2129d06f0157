"""The page of an edition's details."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial

from starlette.responses import Response

from editions.changes.edition_details import (
    INTRODUCTION,
    find_group,
    list_changed_groups,
    list_rows,
    make_changes,
    read_details,
)
from editions.changes.front_matter_change import change_front_matter
from editions.errors import FrontMatterError
from editions.model import EditionForm, Personalisation
from editions.source.folder import EDITION_FILE
from editions.source.schema import EditionHeader
from locales.languages import canonical_language
from mailer.activity import deeds
from mailer.activity.record import record_line
from mailer.database.edition_models import UnsavedReason
from mailer.i18n import gettext_noop
from mailer.rendering.themes.theme_files import theme_names
from mailer.revisions.edition_file import EditionFile, EditionFileError, TextSave, read_edition_file
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.revisions.history import find_change_author
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.model_form import describe_overtaken_field
from mailer.web.studio.notices import Notice
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPage, EditionPageDep

ROUTES = Routes()
_MAX_TRIES = 4
_MAX_LINE = 500
_WAS = "was-"
_BAD_DATE = gettext_noop("Write the date as year-month-day, such as 2026-03-31.")
_BAD_LANGUAGE = gettext_noop("Write the language as a tag, such as en, zh-Hans, mn, ja, ko or fr.")
_NO_REASON = gettext_noop("Say why this check is switched off.")
_UNREADABLE = gettext_noop("The details cannot be shown: %(why)s")
_NOT_SAVED = gettext_noop("The details could not be saved (%(why)s). They are still on this page.")
_BUSY = gettext_noop("the file is being changed all the time")


@ROUTES.get_route("/editions/{edition}/details", Permission.write)
def show_details(page: EditionPageDep) -> Response:
    try:
        texts = read_details(read_edition_file(page.folder, EDITION_FILE).text, page.settings.sectors)
    except (EditionFileError, FrontMatterError) as error:
        words = page.translate(_UNREADABLE, why=page.explain(error))
        return _render(page, {}, {}, [("", words)], status=409)
    return _render(page, texts, texts)


@ROUTES.post_route("/editions/{edition}/details", Permission.write)
def save_details(form: OwnFormDep, page: EditionPageDep) -> Response:
    sent, was = _read_form(form)
    if errors := _find_errors(page, sent):
        return _render(page, sent, was, errors, status=422)
    groups = list_changed_groups(was, sent)
    why = page.translate(_BUSY)
    for attempt in range(1, _MAX_TRIES + 1):
        try:
            file = read_edition_file(page.folder, EDITION_FILE)
            now = read_details(file.text, page.settings.sectors)
            overtaken = groups & list_changed_groups(was, now) & list_changed_groups(now, sent)
            if overtaken:
                return _show_both(page, file, now, overtaken, sent, was)
            text = change_front_matter(file.text, make_changes(sent, groups), schema=EditionHeader)
            result = _save(page, file, text, sitting=form.get("sitting")[:64], attempt=attempt)
        except (EditionFileError, FrontMatterError) as error:
            why = page.explain(error)
            break
        if isinstance(result, EditionFile):
            return page.go_back(Notice.details_saved)
        why = result.detail or why
        if result.reason is not UnsavedReason.changed:
            break
    return _render(page, sent, was, [("", page.translate(_NOT_SAVED, why=why))], status=409)


def _read_form(form: Form) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the form says now, and what its fields were when the page was opened."""
    sent: dict[str, str] = {}
    was: dict[str, str] = {}
    for name, value in form.fields:
        text = value.replace("\r\n", "\n").replace("\r", "\n")
        if name.startswith(_WAS):
            was[name.removeprefix(_WAS)] = text
        elif name == "authors" or name.startswith(INTRODUCTION):
            sent[name] = text.strip("\n")
        else:
            sent[name] = " ".join(text.split())[:_MAX_LINE]
    # Only fields that the page had: a form has no others.
    return {name: value for name, value in sent.items() if name in was}, was


def _find_errors(page: EditionPage, sent: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what cannot be right. What is missing may still come: the edition's problems tell of it."""
    errors = []
    if not _is_date(sent.get("date", "")):
        errors.append(("date", page.translate(_BAD_DATE)))
    if (tag := sent.get("language", "")) and canonical_language(tag) is None:
        errors.append(("language", page.translate(_BAD_LANGUAGE)))
    for number in list_rows(sent, "checks"):
        if sent.get(f"checks-{number}-code") and not sent.get(f"checks-{number}-reason"):
            errors.append((f"checks-{number}-reason", page.translate(_NO_REASON)))
    return errors


def _is_date(day: str) -> bool:
    try:
        return not day or bool(re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII) and date.fromisoformat(day))
    except ValueError:
        return False


def _save(
    page: EditionPage, file: EditionFile, text: str, *, sitting: str, attempt: int
) -> EditionFile | Conflict:
    line = page.make_line(deeds.changed_details(page.edition))
    save = TextSave(
        edition=page.edition,
        name=EDITION_FILE,
        text=text,
        base=file.digest,
        member=page.member,
        sitting=sitting,
        sequence=attempt,
        now=line.at,
    )
    with page.announcing(line, page.folder / EDITION_FILE) as session:
        result = save_edition_file(page.state.workspace, session, save)
        if isinstance(result, EditionFile) and text != file.text:
            record_line(session, line)
        return result


def _show_both(
    page: EditionPage,
    file: EditionFile,
    now: Mapping[str, str],
    groups: set[str],
    sent: Mapping[str, str],
    was: Mapping[str, str],
) -> Response:
    """Show what a writer has entered beside what was saved meanwhile, perhaps by themselves. The page then
    knows that, so that saving again is a choice."""

    def has_group(group: str, text: str) -> bool:
        try:
            return group not in list_changed_groups(read_details(text, page.settings.sectors), now)
        except FrontMatterError:
            return False

    errors = []
    known = dict(was)
    for group in sorted(groups):
        theirs = {name: text for name, text in now.items() if find_group(name) == group}
        author = find_change_author(page.session, page.edition, file, partial(has_group, group))
        said = "; ".join(filter(None, theirs.values()))
        words = describe_overtaken_field(page.translator, said, is_own=author == page.member.id)
        errors.append((next(iter(theirs), group), words))
        known |= theirs
    return _render(page, sent, known, errors, status=409)


def _render(
    page: EditionPage,
    texts: Mapping[str, str],
    was: Mapping[str, str],
    errors: Sequence[tuple[str, str]] = (),
    *,
    status: int = 200,
) -> Response:
    return page.render(
        "edition_details.html",
        status=status,
        fields=texts,
        was=was,
        errors=errors,
        sitting=secrets.token_urlsafe(9),
        is_date=_is_date(texts.get("date", "")),
        themes=theme_names(page.state.workspace.template_overrides),
        forms=EditionForm,
        personal=Personalisation,
        introductions=[
            (name, page.name_section(name.removeprefix(INTRODUCTION)))
            for name in texts
            if name.startswith(INTRODUCTION)
        ],
        follow=list_rows(texts, "follow"),
        checks=list_rows(texts, "checks"),
    )

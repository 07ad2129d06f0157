"""The page of an edition's details."""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from starlette.responses import Response

from editions.changes.front_matter_change import FieldChanges, change_front_matter, read_fields
from editions.errors import FrontMatterError
from editions.model import EditionForm, Personalisation
from editions.source.field_values import FIXED_SECTIONS
from editions.source.folder import EDITION_FILE
from editions.source.schema import EditionHeader
from editions.source.yaml_parser import YamlValue
from locales.languages import canonical_language
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.database.edition_models import UnsavedReason
from mailer.i18n import gettext_noop
from mailer.rendering.themes.theme_files import theme_names
from mailer.revisions.edition_file import EditionFile, EditionFileError, TextSave, read_edition_file
from mailer.revisions.edition_save import Conflict, Saved, save_edition_file
from mailer.revisions.history import find_change_author
from mailer.web.forms import Form, OwnFormDep, list_sectors
from mailer.web.studio.editions.edition_page import FIXED_SECTION_NAMES
from mailer.web.studio.notices import Notice
from mailer.web.studio.overtaken_field import describe_overtaken_field
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.text_save import announced_session, make_line

LINES = (
    "title",
    "number",
    "period",
    "date",
    "language",
    "subject",
    "preheader",
    "template",
    "form",
    "personalise",
    "sender",
)
"""The keys whose value is one line."""

_USUAL = {
    "template": str(EditionHeader.model_fields["template"].default),
    "form": EditionForm.full.value,
    "personalise": Personalisation.off.value,
}
FOLLOW_PARTS = ("name", "handle", "url")
INTRODUCTION = "introductions."
_FOLLOW = "follow-"
_CHECK = "check-"
_REASON = "reason-"
SPARE_ROWS = 2
"""Empty rows for accounts and for checks, beside those that are filled."""


def read_fields_of(values: Mapping[str, YamlValue], sections: Sequence[str]) -> dict[str, str]:
    """The fields for the front matter ``values``; ``sections`` are those that may have an introduction."""
    fields = {key: _one_line(values.get(key, "")) or _USUAL.get(key, "") for key in LINES}
    authors = values.get("authors", "")
    fields["authors"] = (
        "\n".join(map(_one_line, authors)) if isinstance(authors, list) else _one_line(authors)
    )
    introductions = values.get("introductions", "")
    written = introductions if isinstance(introductions, dict) else {}
    for key in dict.fromkeys((*sections, *written)):
        fields[f"{INTRODUCTION}{key}"] = _text(written.get(key, "")).strip("\n")
    fields |= _read_follow(values.get("follow", ""))
    fields |= _read_checks(values.get("checks", ""))
    return fields


def list_sections(sectors: Collection[str]) -> tuple[str, ...]:
    """The keys of all sections that an edition may have."""
    return (FIXED_SECTIONS[0], *sectors, *FIXED_SECTIONS[1:])


def find_group(name: str) -> str:
    """The group that the field ``name`` belongs to."""
    if name.startswith(_FOLLOW):
        return "follow"
    return "checks" if name.startswith((_CHECK, _REASON)) else name


def list_changed_groups(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """The groups of fields in which ``new`` has other texts than ``old``."""
    return {find_group(name) for name in {*old, *new} if old.get(name, "") != new.get(name, "")}


def make_changes(fields: Mapping[str, str], groups: Collection[str]) -> FieldChanges:
    """The changes of the front matter that give the ``groups`` the texts in ``fields``."""
    changes: dict[str, YamlValue | None] = {}
    for group in groups:
        if group == "authors":
            changes[group] = [line.strip() for line in fields.get(group, "").split("\n") if line.strip()]
        elif group == "follow":
            changes[group] = _write_follow(fields)
        elif group == "checks":
            changes[group] = _write_checks(fields)
        else:
            changes[group] = fields.get(group, "") or None
    return changes


def list_rows(fields: Mapping[str, str], group: str) -> list[int]:
    """The numbers of the rows of a group that ``fields`` have."""
    start = _FOLLOW if group == "follow" else _CHECK
    numbers = {name.removeprefix(start).partition("-")[0] for name in fields if name.startswith(start)}
    return sorted(int(number) for number in numbers if number.isascii() and number.isdecimal())


def _read_follow(value: YamlValue) -> dict[str, str]:
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    fields = {}
    for number in range(len(items) + SPARE_ROWS):
        item = items[number] if number < len(items) else {}
        for part in FOLLOW_PARTS:
            fields[f"{_FOLLOW}{number}-{part}"] = _one_line(item.get(part, ""))
    return fields


def _write_follow(fields: Mapping[str, str]) -> YamlValue:
    rows: list[YamlValue] = []
    for number in list_rows(fields, "follow"):
        row: dict[str, YamlValue] = {
            part: value for part in FOLLOW_PARTS if (value := fields.get(f"{_FOLLOW}{number}-{part}", ""))
        }
        if row:
            rows.append(row)
    return rows


def _read_checks(value: YamlValue) -> dict[str, str]:
    items = list(value.items()) if isinstance(value, dict) else []
    fields = {}
    for number, (code, reason) in enumerate([*items, *[("", "")] * SPARE_ROWS]):
        fields[f"{_CHECK}{number}"] = code
        fields[f"{_REASON}{number}"] = _one_line(reason)
    return fields


def _write_checks(fields: Mapping[str, str]) -> YamlValue:
    return {
        code: reason
        for number in list_rows(fields, "checks")
        if (code := fields.get(f"{_CHECK}{number}", "")) and (reason := fields.get(f"{_REASON}{number}", ""))
    }


def _text(value: YamlValue) -> str:
    return value if isinstance(value, str) else ""


def _one_line(value: YamlValue) -> str:
    return " ".join(_text(value).split())


_MAX_TRIES = 4
_MAX_LINE = 500
_WAS = "was-"
_BAD_DATE = gettext_noop("Write the date as year-month-day, such as 2026-03-31.")
_BAD_LANGUAGE = gettext_noop("Write the language as a tag, such as en, zh-Hans, mn, ja, ko or fr.")
_NO_REASON = gettext_noop("Say why this check is switched off.")
_UNREADABLE = gettext_noop("The details cannot be shown: %(why)s")
_NOT_SAVED = gettext_noop("The details could not be saved (%(why)s). They are still on this page.")
_BUSY = gettext_noop("the file is being changed all the time")

_FORM_WORDS: Mapping[EditionForm, tuple[str, str]] = {
    EditionForm.full: (gettext_noop("Full"), gettext_noop("The mail has every story as a whole.")),
    EditionForm.digest: (
        gettext_noop("Digest"),
        gettext_noop("The mail has a picture, a few lines and a link of each story."),
    ),
}
_PERSONAL_WORDS: Mapping[Personalisation, tuple[str, str]] = {
    Personalisation.off: (gettext_noop("The same for everybody"), ""),
    Personalisation.order: (
        gettext_noop("Own stories first"),
        gettext_noop("Partners find the stories about what they follow first, and all others after them."),
    ),
    Personalisation.filter: (
        gettext_noop("Own stories only"),
        gettext_noop("Partners get the stories about what they follow, and those for everyone."),
    ),
}


def show_details(edition: str, page: PageDep) -> Response:
    """Show the details of an edition."""
    folder = find_edition_folder(page, edition)
    try:
        _, fields = _read(page, folder)
    except (EditionFileError, FrontMatterError) as error:
        words = page.translator.translate(_UNREADABLE, why=_explain(page, error))
        return _render(page, edition, {}, {}, [("", words)], status=409)
    return _render(page, edition, fields, fields, [])


def save_details(edition: str, form: OwnFormDep, page: PageDep) -> Response:
    """Save what was changed in the details of an edition."""
    folder = find_edition_folder(page, edition)
    sent, was = _read_form(form)
    errors = _find_errors(page, sent)
    if errors:
        return _render(page, edition, sent, was, errors)
    groups = list_changed_groups(was, sent)
    why = ""
    for attempt in range(1, _MAX_TRIES + 1):
        try:
            file, current = _read(page, folder)
            overtaken = {
                group
                for group in groups & list_changed_groups(was, current)
                if group in list_changed_groups(current, sent)
            }
            if overtaken:
                own = _list_own_changes(page, edition, file, current, overtaken)
                return _show_both(page, edition, sent, was, current, overtaken, own)
            text = change_front_matter(file.text, make_changes(sent, groups), schema=EditionHeader)
            result = _save(page, edition, file, text, sitting=form.get("sitting"), attempt=attempt)
        except (EditionFileError, FrontMatterError) as error:
            why = _explain(page, error)
            break
        if isinstance(result, Saved):
            return page.redirect(f"/editions/{edition}", Notice.details_saved)
        why = result.detail
        if result.reason is not UnsavedReason.changed:
            break
    words = page.translator.translate(_NOT_SAVED, why=why or page.translator.translate(_BUSY))
    return _render(page, edition, sent, was, [("", words)], status=409)


def _read(page: StudioPage, folder: Path) -> tuple[EditionFile, dict[str, str]]:
    file = read_edition_file(folder, EDITION_FILE)
    return file, read_fields_of(read_fields(file.text), list_sections(page.settings.sectors))


def _read_form(form: Form) -> tuple[dict[str, str], dict[str, str]]:
    """What the form says now, and what its fields were when the page was opened."""
    sent: dict[str, str] = {}
    was: dict[str, str] = {}
    for name, value in form.fields:
        text = value.replace("\r\n", "\n").replace("\r", "\n")
        if name.startswith(_WAS):
            was[name.removeprefix(_WAS)] = text
        elif name != "sitting":
            is_long = name == "authors" or name.startswith(INTRODUCTION)
            sent[name] = text.strip("\n") if is_long else " ".join(text.split())[:_MAX_LINE]
    # Only fields that the page had: a form has no others.
    return {name: value for name, value in sent.items() if name in was}, was


def _find_errors(page: StudioPage, sent: Mapping[str, str]) -> list[tuple[str, str]]:
    """What cannot be right. What is missing may still come: the edition's problems tell of it."""
    errors = []
    if (day := sent.get("date", "")) and not _is_date(day):
        errors.append(("date", page.translator.translate(_BAD_DATE)))
    if (tag := sent.get("language", "")) and canonical_language(tag) is None:
        errors.append(("language", page.translator.translate(_BAD_LANGUAGE)))
    for number in list_rows(sent, "checks"):
        if sent.get(f"check-{number}") and not sent.get(f"reason-{number}"):
            errors.append((f"reason-{number}", page.translator.translate(_NO_REASON)))
    return errors


def _is_date(day: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII) and date.fromisoformat(day))
    except ValueError:
        return False


def _save(
    page: StudioPage, edition: str, file: EditionFile, text: str, *, sitting: str, attempt: int
) -> Saved | Conflict:
    line = make_line(page, Act.changed_details, edition=edition)
    folder = page.state.workspace.edition_folder(edition)
    with announced_session(page, [line], folder / EDITION_FILE) as session:
        result = save_edition_file(
            page.state.workspace,
            session,
            TextSave(
                edition=edition,
                name=EDITION_FILE,
                text=text,
                base=file.digest,
                member=page.member,
                sitting=sitting[:64],
                sequence=attempt,
                now=line.at,
            ),
        )
        if isinstance(result, Saved) and text != file.text:
            record_line(session, line)
        return result


def _list_own_changes(
    page: StudioPage, edition: str, file: EditionFile, current: Mapping[str, str], groups: set[str]
) -> set[str]:
    """Those of ``groups`` that the writer has changed last: in another tab, then."""

    def has_group(group: str, text: str) -> bool:
        try:
            fields = read_fields_of(read_fields(text), list_sections(page.settings.sectors))
        except FrontMatterError:
            return False
        return group not in list_changed_groups(fields, current)

    with page.state.read_session() as session:
        authors = {
            group: find_change_author(session, edition, file, partial(has_group, group)) for group in groups
        }
    return {group for group, author in authors.items() if author == page.member.id}


def _show_both(
    page: StudioPage,
    edition: str,
    sent: Mapping[str, str],
    was: Mapping[str, str],
    current: Mapping[str, str],
    groups: set[str],
    own: set[str],
) -> Response:
    """Show what a writer has entered beside what was saved meanwhile, by themselves in ``own`` groups. The
    page then knows that, so that saving again is a choice."""
    errors = []
    known = dict(was)
    for group in sorted(groups):
        names = [name for name in current if name == group or name.startswith(_ROW_STARTS.get(group, "\0"))]
        theirs = "; ".join(current[name] for name in names if current[name])
        target = names[0] if names else group
        words = describe_overtaken_field(page.translator, theirs, is_own=group in own)
        errors.append((target, words))
        known |= {name: current[name] for name in names}
    return _render(page, edition, sent, known, errors, status=409)


_ROW_STARTS = {"follow": ("follow-",), "checks": ("check-", "reason-")}


def _explain(page: StudioPage, error: EditionFileError | FrontMatterError) -> str:
    if isinstance(error, FrontMatterError):
        return str(error)
    return page.translator.translate(error.message, **error.values)


def _render(
    page: StudioPage,
    edition: str,
    fields: Mapping[str, str],
    was: Mapping[str, str],
    errors: Sequence[tuple[str, str]],
    *,
    status: int | None = None,
) -> Response:
    names = dict(list_sectors(page.translator, page.settings))
    fixed = {key: page.translator.translate(words) for key, words in FIXED_SECTION_NAMES.items()}
    return page.render(
        "edition_details.html",
        status=(422 if errors else 200) if status is None else status,
        section="editions",
        edition=edition,
        fields=fields,
        was=was,
        errors=errors,
        wrong=dict(errors),
        sitting=secrets.token_urlsafe(9),
        is_date=not fields.get("date") or _is_date(fields["date"]),
        themes=theme_names(page.state.workspace.template_overrides),
        forms=[(form.value, *words) for form, words in _FORM_WORDS.items()],
        personal=[(choice.value, *words) for choice, words in _PERSONAL_WORDS.items()],
        introductions=[
            (name, (names | fixed).get(name.removeprefix(INTRODUCTION), name.removeprefix(INTRODUCTION)))
            for name in fields
            if name.startswith(INTRODUCTION)
        ],
        follow=list_rows(fields, "follow"),
        checks=list_rows(fields, "checks"),
    )

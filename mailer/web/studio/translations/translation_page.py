"""The page on which a text is translated beside its original, and saving it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import nh3
from fastapi import Depends
from markupsafe import Markup
from sqlmodel import Session
from starlette.responses import Response

from editions.changes.front_matter_change import read_fields
from editions.changes.story_text import TextDraft, split_text
from editions.changes.translation_text import (
    NEW_FILE,
    ORIGINAL_KEY,
    compose_translation,
    fill_from_original,
    has_text,
    list_texts,
    read_front,
)
from editions.errors import FrontMatterError
from editions.markdown.renderer import LETTER_HEADING_LEVEL, render_markdown
from editions.source.folder import scan_folder
from editions.text_diff.comparison import BlockChangeKind, compare_texts
from editions.text_diff.words import WordChange, WordChangeKind, compare_words
from editions.translatable_texts import read_text
from locales.languages import canonical_language
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FileMissingError,
    FilePlace,
    parse_file_name,
    read_edition_file,
)
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.team.members import Permission
from mailer.translations import (
    TranslationState,
    TranslationStatus,
    assess_texts,
    digest_original,
    find_base_text,
    list_same_texts,
    record_base,
)
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.stories.text_form import (
    MARKDOWN,
    REFUSALS,
    fill_form,
    find_base,
    is_script,
    make_save,
    read_translation_draft,
    say_refusal,
    show_both,
    tell_refusal,
    tell_saved,
)
from mailer.web.studio.story_place import (
    StoryPage,
    StoryPageDep,
    StoryUnreadableError,
    make_story_path,
)

ROUTES = Routes()
_COPY = "copy"
_DONE = "done"
_NOTHING_WRITTEN = gettext_noop("Nothing is translated yet, so there is nothing to save.")
_SAFE_TAGS = {
    *("p", "h3", "h4", "h5", "ul", "ol", "li", "blockquote", "pre", "hr", "br", "em", "strong", "s", "a"),
    *("code", "span", "sup", "table", "thead", "tbody", "tr", "th", "td"),
}


@dataclass(frozen=True, kw_only=True)
class TranslationPage(StoryPage):
    """A request about the translation of a story, or of edition.md with its letter, into ``language``.
    ``name`` is its file, whether it is there (``translation``) or not (None); ``own_language`` is that of the
    original."""

    language: str
    own_language: str
    name: str
    translation: EditionFile | None

    @property
    def original_path(self) -> str:
        return make_story_path(self.edition, self.story)

    @property
    def path(self) -> str:
        return make_story_path(self.edition, self.story, self.language)

    @property
    def file_place(self) -> FilePlace:
        return FilePlace(story=self.story, language=self.language)

    def assess(self, text: str, session: Session) -> TranslationStatus:
        same = list_same_texts(session, self.edition).get(self.file_place, frozenset())
        return assess_texts(self.file_place, self.file.text, text, same)


def _open_translation(page: StoryPageDep, language: str) -> TranslationPage:
    own_language = page.state.summaries.read(page.edition).language or "en"
    or_404(canonical_language(language) == language != own_language)
    name = _find_name(page, language)
    try:
        parse_file_name(name)
        file = read_edition_file(page.folder, name)
    except FileMissingError:
        file = None
    except EditionFileError as error:
        raise StoryUnreadableError(page.edition, error) from error
    return page.about(
        TranslationPage,
        language=language,
        own_language=own_language,
        name=name,
        translation=file,
    )


def _find_name(page: StoryPage, language: str) -> str:
    """Return the translation's file. An existing one may have another spelling of the language."""
    contents = scan_folder(page.folder)
    files = next((files for files in contents.stories if files.original == page.file.name), None)
    known = contents.translations if not page.story else files.translations if files is not None else {}
    return known.get(language) or f"{page.file.name.removesuffix('.md')}.{language}.md"


TranslationPageDep = Annotated[TranslationPage, Depends(_open_translation)]


@ROUTES.get_route("/editions/{edition}/letter/translations/{language}", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}/translations/{language}", Permission.read)
def show_translation(page: TranslationPageDep) -> Response:
    return _render(page, as_markdown=page.request.query_params.get("as") == MARKDOWN)


@ROUTES.post_route("/editions/{edition}/letter/translations/{language}", Permission.write)
@ROUTES.post_route("/editions/{edition}/stories/{story}/translations/{language}", Permission.write)
def save_translation(page: TranslationPageDep, form: OwnFormDep) -> Response:
    """Save what the form says. A script that saves as one writes is answered in JSON."""
    draft, wanted, is_story = read_translation_draft(form), form.get("then"), bool(page.story)
    original, current = read_front(page.file.text), digest_original(page.file.text)
    if wanted == _COPY:
        draft = fill_from_original(draft, original, is_story=is_story)
    if page.translation is None and not has_text(draft):
        words = page.translate(_NOTHING_WRITTEN)
        return tell_refusal(words) if is_script(page) else _render(page, draft, words)
    # What nobody has seen cannot be what was translated.
    is_confirmed = wanted == _DONE and draft.original == current
    translated_from = current if is_confirmed else ""
    if not draft.base:
        translated_from = draft.original or current
    before = NEW_FILE
    if draft.base and page.translation is not None:
        before = find_base(page, page.translation, draft.base)
    try:
        composed = compose_translation(before, draft, original, page.story, translated_from=translated_from)
        save = make_save(page, page.name, draft, composed, is_confirmed=is_confirmed)
        with page.writing() as session:
            outcome = save_edition_file(page.state.workspace, session, save)
            if isinstance(outcome, EditionFile):
                _record_base(page, session, composed.text, is_confirmed=is_confirmed)
    except REFUSALS as error:
        words = say_refusal(page, error)
        return tell_refusal(words, error) if is_script(page) else _render(page, draft, words)
    if isinstance(outcome, Conflict):
        return show_both(page, outcome)
    if is_script(page):
        return tell_saved(page, outcome, composed)
    notice = Notice.translation_adjusted if composed.adjusted else Notice.translation_saved
    if wanted == _DONE and not is_confirmed:
        notice = Notice.original_changed
    elif is_confirmed:
        # What is not translated at all says nothing, whatever the original says.
        is_open = page.assess(composed.text, page.session).open_texts
        notice = Notice.translation_saved if is_open else Notice.translation_confirmed
    stays = wanted not in {"editor", _COPY} and draft.body is not None
    return page.go_back(notice, **({"as": MARKDOWN} if wanted == MARKDOWN or stays else {}))


def _record_base(page: TranslationPage, session: Session, text: str, *, is_confirmed: bool) -> None:
    """Keep what the original says, if the translation was made from that. What is still as in the original is
    meant to be so if the translation ``is_confirmed``."""
    original = page.file.text
    if read_front(text).text(ORIGINAL_KEY) != digest_original(original):
        return
    found = assess_texts(page.file_place, original, text).open_texts
    same = {one.digest for one in found if not one.is_missing} if is_confirmed else None
    now = page.state.clock()
    record_base(session, page.edition, page.file_place, original, now=now, same_texts=same)


def _render(
    page: TranslationPage, sent: TextDraft | None = None, error: str = "", *, as_markdown: bool = False
) -> Response:
    file = page.translation
    text = file.text if file is not None else NEW_FILE
    status = TranslationStatus(place=page.file_place, state=TranslationState.missing)
    base = None
    if file is not None:
        status = page.assess(text, page.session)
    if status.state is TranslationState.outdated:
        recorded = read_front(text).text(ORIGINAL_KEY)
        base = find_base_text(page.session, page.edition, page.file_place, recorded)
    groups, parts = _list_groups(page, text, base, status, sent), _show_original(page, base)
    rows = [row for rows in groups.values() for row in rows]
    return page.render(
        "translation.html",
        status=422 if error else 200,
        text=fill_form(
            page,
            text,
            file.digest if file is not None else "",
            sent,
            {},
            [("body", error)] if error else (),
            fault=_find_fault(text),
        ),
        groups=groups,
        parts=parts,
        changes=sum(row["is_changed"] for row in rows) + sum(isinstance(part, tuple) for part in parts),
        original_digest=digest_original(page.file.text),
        progress=status,
        knows_changes=base is not None,
        as_markdown=as_markdown or (sent is not None and sent.body is not None),
        can_write=page.may(Permission.write),
        original_title=read_front(page.file.text).text("title"),
    )


def _find_fault(text: str) -> str:
    try:
        read_fields(text)
    except FrontMatterError as error:
        return str(error)
    return ""


def _list_groups(
    page: TranslationPage,
    text: str,
    base: str | None,
    status: TranslationStatus,
    sent: TextDraft | None,
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return the texts of the front matter by the headings above them, "" for the first ones: the words of
    each original, with those added and deleted since, and its translation."""
    original, front, before = read_front(page.file.text), read_front(text), None
    if base is not None:
        before = read_front(base)
    values = sent.values if sent is not None else {}
    opened = {one.key for one in status.open_texts}
    groups: dict[str, list[Mapping[str, Any]]] = {"": []}
    for one in list_texts(original, front, is_story=bool(page.story)):
        was = read_text(before, one.path, one.form) if before is not None else one.value
        words = compare_words(was, one.value)
        groups.setdefault(page.translator.say(one.heading), []).append(
            {
                "key": one.key,
                "label": page.translate(one.label) if one.label else one.path[-1],
                "form": one.form,
                "original": words,
                "is_changed": any(word.kind is not WordChangeKind.same for word in words),
                "value": values.get(one.key, read_text(front, one.path, one.form)),
                "is_open": one.key in opened,
            }
        )
    return groups


def _show_original(page: TranslationPage, base: str | None) -> list[Markup | tuple[WordChange, ...]]:
    """Return the body of the original, with what has changed since it said ``base``: parts of HTML, and the
    words of the Markdown of those that have changed."""
    body = split_text(page.file.text).body
    if base is None:
        return [_render_markdown(body, page.own_language)] if body.strip() else []
    parts: list[Markup | tuple[WordChange, ...]] = []
    same = ""
    for change in compare_texts(split_text(base).body, body):
        if change.kind is BlockChangeKind.same:
            same += change.new
            continue
        parts += [_render_markdown(same, page.own_language)] if same.strip() else []
        parts.append(compare_words(change.old.strip(), change.new.strip()))
        same = ""
    return [*parts, *([_render_markdown(same, page.own_language)] if same.strip() else [])]


def _render_markdown(body: str, language: str) -> Markup:
    html = render_markdown(body, language=language, heading=LETTER_HEADING_LEVEL).html
    # Emails need styles; Studio's policy has none.
    safe = nh3.clean(html, tags=_SAFE_TAGS, attributes={"a": {"href"}, "ol": {"start"}, "span": {"lang"}})
    return Markup(safe)  # noqa: S704 - cleaned

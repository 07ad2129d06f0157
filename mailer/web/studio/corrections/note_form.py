"""The form for a correction: what was said and what is right, in each language of the story."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from locales.languages import canonical_language
from mailer.campaigns.correction_notes import NoteDraft, WrittenNote
from mailer.campaigns.correction_plan import SentStory, SentText
from mailer.i18n import Translator, gettext_noop
from mailer.web.forms import MAIL_LANGUAGES, Form, own_language_name

_MAX_LINE = 1000
_MAX_TEXT = 20_000
_NO_WAS = gettext_noop("Write what was said, in the story's own words.")
_NO_RIGHT = gettext_noop("Write what is right.")
_HALF = gettext_noop("%(language)s: write both what was said and what is right, or leave all of it empty.")


@dataclass(frozen=True, kw_only=True)
class NoteFields:
    """The fields of one language: ``sent`` is the story in it, None if it was not sent in it."""

    language: str
    language_name: str
    draft: NoteDraft
    sent: SentText | None
    is_own: bool

    def name(self, field: str) -> str:
        """The name of a field in the form."""
        return f"{field}-{self.language}"


def list_fields(story: SentStory, note: WrittenNote) -> Sequence[NoteFields]:
    """The fields for all languages: the edition's own first, then those in which it was sent."""
    tags = _list_languages(story, note.translations)
    return [
        NoteFields(
            language=tag,
            language_name=own_language_name(tag),
            draft=note.own if tag == story.language else note.translations.get(tag, NoteDraft()),
            sent=story.texts.get(tag),
            is_own=tag == story.language,
        )
        for tag in tags
    ]


def read_note_form(form: Form, story: SentStory) -> WrittenNote:
    """Read the form as it was sent, in all languages that it has: those of a note may be others than those of
    the story."""
    named = (name.removeprefix("was-") for name, _ in form.fields if name.startswith("was-"))
    sent = [tag for tag in named if canonical_language(tag) == tag]
    others = [tag for tag in _list_languages(story, sent) if tag != story.language]
    return WrittenNote(
        own=_read_draft(form, story.language), translations={tag: _read_draft(form, tag) for tag in others}
    )


def digest_note_fields(note: WrittenNote) -> str:
    """A digest of all that the form of a note shows, so that one sees whether it was changed meanwhile."""
    written = {tag: draft for tag, draft in note.translations.items() if not draft.is_empty}
    return sha256(repr((note.own, sorted(written.items()))).encode()).hexdigest()[:16]


def _list_languages(story: SentStory, known: Collection[str]) -> list[str]:
    spoken = {tag.partition("-")[0] for tag in (*story.texts, *known)}
    others = [tag for tag in MAIL_LANGUAGES if tag not in spoken]
    return list(dict.fromkeys([*story.texts, *known, *others]))


def _read_draft(form: Form, tag: str) -> NoteDraft:
    def line(name: str) -> str:
        return " ".join(form.get(f"{name}-{tag}").split())[:_MAX_LINE]

    explanation = form.get(f"explanation-{tag}").replace("\r\n", "\n").strip()[:_MAX_TEXT]
    return NoteDraft(
        was=line("was"),
        right=line("right"),
        explanation=explanation,
        subject=line("subject"),
        title=line("title"),
    )


def find_faults(note: WrittenNote, story: SentStory, translator: Translator) -> list[tuple[str, str]]:
    """The fields that are not filled in, each with what to say of it."""
    own = story.language
    faults = []
    if not note.own.was:
        faults.append((f"was-{own}", translator.translate(_NO_WAS)))
    if not note.own.right:
        faults.append((f"right-{own}", translator.translate(_NO_RIGHT)))
    for tag, draft in note.translations.items():
        if not draft.is_empty and not (draft.was and draft.right):
            field = "right" if draft.was else "was"
            words = translator.translate(_HALF, language=own_language_name(tag))
            faults.append((f"{field}-{tag}", words))
    return faults


def is_in_text(words: str, text: str) -> bool:
    """Whether ``words`` stand in the text of a story, however it is broken into lines."""
    return " ".join(words.split()) in " ".join(text.split())

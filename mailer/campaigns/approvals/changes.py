"""What has changed since something was approved, or was asked to be: words, options and settings."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import templates
from editions.text_diff.comparison import BlockChange, BlockChangeKind, compare_texts
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.content_versions import NEWER_PROGRAM, list_content_changes
from mailer.campaigns.plan import digest_plan
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.workspace import Workspace

THEME = gettext_noop("the theme, its templates or its phrases")
"""What stands for the theme among the settings."""

BINDING = (
    *("[sender] address", "[sender] reply_to", "[sender] list_id", "[web] base_url"),
    *("[feedback] leave_address", "[law] opt_in", "[subject_labels]"),
)
"""The settings that affect a message or its audience, but are not part of the frozen content."""
# The marks of fragments in the text part, and the names of merge tags such as @@greeting@@.
_ENTRY = re.compile("\x1ebegin entry .*?\x1eend entry\x1f", re.DOTALL)
_MARK = re.compile("\x1e[^\x1f]*\x1f")


def hash_settings(workspace: Workspace) -> dict[str, str]:
    """Return a hash of each setting that mail is made with, and of the theme, by name."""
    settings = workspace.settings
    sender = settings.sender.model_dump(exclude={"bounces_to"})
    values: dict[str, Any] = {f"[sender] {name}": value for name, value in sender.items()}
    values["[web] base_url"] = settings.web.base_url
    values["[law] opt_in"] = sorted(settings.law.opt_in)
    # Each mail offers it to its readers. Where bounces go is between servers, as for [sender] bounces_to.
    leave_address, delimiter = settings.feedback.leave_address, settings.feedback.delimiter
    values["[feedback] leave_address"] = [leave_address, delimiter] if leave_address else []
    for name in ("sectors", "countries", "country_names", "subject_labels"):
        values[f"[{name}]"] = getattr(settings, name)
    hashes = {name: _hash(json.dumps(value, sort_keys=name != "[sectors]")) for name, value in values.items()}
    return hashes | {THEME: _hash_templates(workspace.template_overrides)}


def _hash_templates(overrides: Path | None) -> str:
    folders = [folder for folder in (overrides, templates.ROOT / "email") if folder is not None]
    files = [
        f"{path.relative_to(folder).as_posix()} {sha256(path.read_bytes()).hexdigest()}"
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return _hash("\n".join(files))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class SendingOptions:
    """The options approved beside the content: who gets it, whether also those who have it already, and
    whether clicks on its links are counted."""

    segment: str
    again: bool = False
    counts_clicks: bool = False


@dataclass(frozen=True, kw_only=True)
class FrozenState:
    """The state that was approved: the ``digest`` of content and segment, the ``options``, and the
    ``settings`` then, each as a hash. ``read_content`` reads the content, and may raise
    CompiledVersionError."""

    edition: str
    options: SendingOptions
    digest: str
    settings: Mapping[str, str]
    read_content: Callable[[], Sequence[CompiledEdition]]


def list_changed_settings(
    then: Mapping[str, str], now: Mapping[str, str], *, only: Iterable[str] = ()
) -> list[Phrase]:
    """Return the settings that have another value than ``then``; all of them count, or those in ``only``."""
    chosen = set(only) or set(now)
    return [
        Phrase(THEME) if name == THEME else Phrase("the setting %(name)s", name=name)
        for name, value in now.items()
        if name in chosen and then.get(name, value) != value
    ]


def list_changed_options(then: SendingOptions, now: SendingOptions) -> Iterator[Phrase]:
    if then.segment != now.segment:
        words = gettext_noop("the segment, which was '%(then)s' and is '%(now)s'")
        yield Phrase(words, then=then.segment, now=now.segment)
    if then.again != now.again:
        yield Phrase("whether those who have it already get it again")
    if now.counts_clicks and not then.counts_clicks:
        yield Phrase("clicks on its links, which are counted")
    elif then.counts_clicks != now.counts_clicks:
        yield Phrase("clicks on its links, which are no longer counted")


def list_changes(
    state: FrozenState, compiled: Sequence[CompiledEdition], hashes: Mapping[str, str]
) -> list[Phrase]:
    """Return the differences between the frozen content and ``compiled``, and between the settings."""
    if state.digest == digest_plan(state.edition, state.options.segment, compiled):
        return list_changed_settings(state.settings, hashes, only=BINDING)
    settings = list_changed_settings(state.settings, hashes)
    try:
        frozen = state.read_content()
    except CompiledVersionError:
        return [Phrase(NEWER_PROGRAM)]
    changes = [*settings, *list_content_changes(frozen, compiled, restyled=bool(settings))]
    # A digest that differs is a change, also where it cannot be named.
    return changes or [Phrase("how the mail is laid out")]


@dataclass(frozen=True, kw_only=True)
class TextChange:
    """A text that is different. ``story`` is its slug, "" for the subject, the letter and what is around the
    stories; ``title`` is how it begins. ``blocks`` are its paragraphs, as they changed."""

    language: str
    story: str
    title: str
    blocks: tuple[BlockChange, ...]


def compare_contents(
    before: Sequence[CompiledEdition], after: Sequence[CompiledEdition]
) -> tuple[TextChange, ...]:
    """Compare the texts of two versions in each language, in their order. Only texts that differ are
    listed, and of those what is the same only beside what is not."""
    old = {mail.language: mail for mail in before}
    return tuple(change for mail in after for change in _compare_mails(old.get(mail.language), mail))


def _compare_mails(old: CompiledEdition | None, new: CompiledEdition) -> Iterator[TextChange]:
    slugs = dict.fromkeys(story.slug for mail in (old, new) if mail is not None for story in mail.stories)
    for slug in ("", *slugs):
        was, now = _read_text(old, slug), _read_text(new, slug)
        if was != now:
            blocks = _keep_changes(compare_texts(was, now))
            title = next(iter((now or was).strip().splitlines()), slug)
            yield TextChange(language=new.language, story=slug, title=title, blocks=blocks)


def _read_text(mail: CompiledEdition | None, slug: str) -> str:
    """Return the plain text of a story, or of all that is around the stories."""
    if mail is None:
        return ""
    text = _find_story(mail, slug) if slug else f"{mail.subject}\n\n{mail.preheader}\n\n{_find_frame(mail)}"
    lines = [" ".join(line.split()) for line in _MARK.sub("", text).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n" if any(lines) else ""


def name_stories(mail: CompiledEdition) -> dict[str, str]:
    """Return how the text of each story begins, by its slug: with its title."""
    texts = ((story.slug, _read_text(mail, story.slug)) for story in mail.stories)
    return {slug: next(iter(text.strip().splitlines()), slug) for slug, text in texts}


def _find_story(mail: CompiledEdition, slug: str) -> str:
    place = find_fragment(mail.text, FragmentKind.story, slug, markup=False)
    return mail.text[slice(*place)] if place else ""


def _find_frame(mail: CompiledEdition) -> str:
    """Return the text without the stories, and without the table of contents, which repeats their titles."""
    text = mail.text
    for story in mail.stories:
        if place := find_fragment(text, FragmentKind.story, story.slug, markup=False):
            text = text[: place[0]] + text[place[1] :]
    return _ENTRY.sub("", text)


def _keep_changes(blocks: Sequence[BlockChange]) -> tuple[BlockChange, ...]:
    """Return the blocks that changed, each with those directly before and after it."""
    changed = {place for place, block in enumerate(blocks) if block.kind is not BlockChangeKind.same}
    kept = {near for place in changed for near in (place - 1, place, place + 1)}
    return tuple(block for place, block in enumerate(blocks) if place in kept)

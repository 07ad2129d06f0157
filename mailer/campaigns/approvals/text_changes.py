"""Word by word, what is different in the texts of two versions of an edition."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from editions.text_diff.comparison import BlockChange, ChangeKind, compare_texts
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.compiled_edition import CompiledEdition

# The marks of fragments in the text part, and the names of merge tags such as @@greeting@@.
_ENTRY = re.compile("\x1ebegin entry .*?\x1eend entry\x1f", re.DOTALL)
_MARK = re.compile("\x1e[^\x1f]*\x1f")


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
    """The plain text of a story, or of all that is around the stories."""
    if mail is None:
        return ""
    text = _find_story(mail, slug) if slug else f"{mail.subject}\n\n{mail.preheader}\n\n{_find_frame(mail)}"
    lines = [" ".join(line.split()) for line in _MARK.sub("", text).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n" if any(lines) else ""


def name_stories(mail: CompiledEdition) -> dict[str, str]:
    """How the text of each story begins, by its slug: with its title."""
    texts = ((story.slug, _read_text(mail, story.slug)) for story in mail.stories)
    return {slug: next(iter(text.strip().splitlines()), slug) for slug, text in texts}


def _find_story(mail: CompiledEdition, slug: str) -> str:
    place = find_fragment(mail.text, FragmentKind.story, slug, markup=False)
    return mail.text[slice(*place)] if place else ""


def _find_frame(mail: CompiledEdition) -> str:
    """The text without the stories, and without the table of contents, which repeats their titles."""
    text = mail.text
    for story in mail.stories:
        if place := find_fragment(text, FragmentKind.story, story.slug, markup=False):
            text = text[: place[0]] + text[place[1] :]
    return _ENTRY.sub("", text)


def _keep_changes(blocks: Sequence[BlockChange]) -> tuple[BlockChange, ...]:
    """The blocks that changed, each with those directly before and after it."""
    changed = {place for place, block in enumerate(blocks) if block.kind is not ChangeKind.same}
    kept = {near for place in changed for near in (place - 1, place, place + 1)}
    return tuple(block for place, block in enumerate(blocks) if place in kept)

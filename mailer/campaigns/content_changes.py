"""Describe what changed between two versions of a compiled edition, for the person who approved the first."""

import re
from collections.abc import Iterator, Sequence

from locales.phrase import Phrase, gettext_noop
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.body.variants import StoryFacts
from mailer.rendering.compiled_edition import CompiledEdition

GONE = gettext_noop("%(edition)s has errors or no longer exists")
NEWER_PROGRAM = gettext_noop("the program: a newer version compiles editions differently")
"""What has changed where the contents cannot be compared."""

_HEADINGS = {
    "title": gettext_noop("the newsletter’s name"),
    "subject": gettext_noop("the subject"),
    "preheader": gettext_noop("the preheader"),
    "sender_name": gettext_noop("the sender’s name"),
    "greeting": gettext_noop("the greeting"),
}
_IMAGE = re.compile(r"/media/([\w.-]+)")
# Parts around the stories that repeat something of them: the table of contents and the edges of sections.
_REPEATED = re.compile(
    r"<!--@begin entry .*?<!--@end entry-->|<!--@(?:begin|end) [^>]*-->"
    "|\x1ebegin entry .*?\x1eend entry\x1f|\x1e(?:begin|end) [^\x1f]*\x1f",
    re.DOTALL,
)


def list_content_changes(
    before: Sequence[CompiledEdition], after: Sequence[CompiledEdition], *, restyled: bool = False
) -> list[Phrase]:
    """List the differences, such as "the text of the story teachers (zh)"; empty if there are none.

    ``restyled`` says that the theme or a setting changed too. That alone changes the HTML of everything and
    the text around the stories, so those are not listed then.
    """
    old, new = {mail.language: mail for mail in before}, {mail.language: mail for mail in after}
    removed = gettext_noop("the %(language)s version was removed")
    added = gettext_noop("the %(language)s version was added")
    changes = [Phrase(removed, language=language) for language in old if language not in new]
    changes += [Phrase(added, language=language) for language in new if language not in old]
    found: dict[Phrase, list[str]] = {}
    for language, mail in new.items():
        if language in old:
            for change in dict.fromkeys(_compare(old[language], mail, restyled=restyled)):
                found.setdefault(change, []).append(language)
    several = len(old) > 1
    for change, tags in found.items():
        in_some = gettext_noop("%(change)s (%(languages)s)")
        changes.append(Phrase(in_some, change=change, languages=", ".join(tags)) if several else change)
    return changes


def _compare(old: CompiledEdition, new: CompiledEdition, *, restyled: bool) -> Iterator[Phrase]:
    yield from (
        Phrase(words) for name, words in _HEADINGS.items() if getattr(old, name) != getattr(new, name)
    )
    yield from _compare_choice(old, new)
    kept = [facts.slug for facts in old.stories if facts.slug in {facts.slug for facts in new.stories}]
    for slug in kept:
        text = Phrase(gettext_noop("the text of the story %(story)s"), story=slug)
        image = Phrase(gettext_noop("an image of the story %(story)s"), story=slug)
        pieces = _find_story(old, slug), _find_story(new, slug)
        yield from _compare_pieces(*pieces, text=text, image=image, restyled=restyled)
    if [facts.slug for facts in old.stories] == [facts.slug for facts in new.stories]:
        text = Phrase(gettext_noop("the letter or the text around the stories"))
        image = Phrase(gettext_noop("an image of the letter or masthead"))
        frames = _find_frame(old, kept), _find_frame(new, kept)
        yield from _compare_pieces(*frames, text=text, image=image, restyled=restyled, is_frame=True)


def _compare_choice(old: CompiledEdition, new: CompiledEdition) -> Iterator[Phrase]:
    """Compare which stories there are, their order, and who gets them."""
    before, after = _by_slug(old), _by_slug(new)
    removed = gettext_noop("the story %(story)s was removed")
    added = gettext_noop("the story %(story)s was added")
    yield from (Phrase(removed, story=slug) for slug in before if slug not in after)
    yield from (Phrase(added, story=slug) for slug in after if slug not in before)
    if before.keys() == after.keys() and list(before) != list(after):
        yield Phrase(gettext_noop("the order of the stories"))
    for slug, facts in before.items():
        if facts != after.get(slug, facts):
            yield Phrase(gettext_noop("the section of the story %(story)s, or who gets it"), story=slug)
    if old.personalise != new.personalise:
        yield Phrase(gettext_noop("who gets which stories (personalise)"))
    if old.switched_off != new.switched_off:
        yield Phrase(gettext_noop("the checks that are switched off"))


def _by_slug(mail: CompiledEdition) -> dict[str, StoryFacts]:
    return {facts.slug: facts for facts in mail.stories}


def _compare_pieces(
    old: tuple[str, str],
    new: tuple[str, str],
    *,
    text: Phrase,
    image: Phrase,
    restyled: bool,
    is_frame: bool = False,
) -> Iterator[Phrase]:
    """Compare HTML and text of one part of the mail. ``text`` and ``image`` are what may have changed in
    it."""
    has_new_images = _list_images(old[0]) != _list_images(new[0])
    if has_new_images:
        yield image
    if old[1] != new[1] and not (restyled and is_frame):
        yield text
    elif old[0] != new[0] and not restyled and not has_new_images:
        # Only in the HTML: alt text, the address of a link, emphasis.
        yield text


def _list_images(html: str) -> list[str]:
    return _IMAGE.findall(html)


def _find_story(mail: CompiledEdition, slug: str) -> tuple[str, str]:
    """Return the HTML and the plain text of one story."""

    def find(marked: str, *, markup: bool) -> str:
        place = find_fragment(marked, FragmentKind.story, slug, markup=markup)
        return marked[slice(*place)] if place else ""

    return find(mail.html, markup=True), find(mail.text, markup=False)


def _find_frame(mail: CompiledEdition, slugs: Sequence[str]) -> tuple[str, str]:
    """Return the HTML and the plain text without the stories and without what is compared separately."""

    def find(marked: str, *, markup: bool) -> str:
        for slug in slugs:
            if place := find_fragment(marked, FragmentKind.story, slug, markup=markup):
                marked = marked[: place[0]] + marked[place[1] :]
        frame = _REPEATED.sub("", marked)
        for words in sorted((mail.title, mail.subject, mail.preheader), key=len, reverse=True):
            frame = frame.replace(words, "")
        return " ".join(frame.split())

    return find(mail.html, markup=True), find(mail.text, markup=False)

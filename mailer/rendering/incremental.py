"""Incremental rendering: when some stories of an email have changed, only those are rendered again.

A fragment is the same whatever surrounds it. That is why every reader can have an email of their own, and why
an email of 26 stories, one of them changed, is the previous email with one fragment taken from an email of
one story.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from editions.cache import BoundedCache
from locales.phrase import gettext_noop
from mailer.errors import TemplateError
from mailer.rendering.body.fragments import (
    FragmentKind,
    MergeTag,
    Parts,
    find_fragment,
    parse_fragments,
    walk_fragments,
    walk_texts,
)
from mailer.rendering.template_context.page import Page, RenderedPage, StoryView, refuse_reserved_marks
from mailer.rendering.themes.template_files import FileStamps
from mailer.rendering.themes.theme_files import explain_lost_link
from mailer.rendering.worker.client import render_in_worker

# Emails kept: the languages that one author previews in turn, and a few more.
_MAX_CACHED = 8
# If more than this share of the stories changed, rendering all of them is as fast.
_MAX_CHANGED_SHARE = 0.5
# Pages, the state of the templates and what they made of each page. Without it, compiling after a change to
# one story takes four times as long.
_cached_renders: BoundedCache[tuple[Page, FileStamps, RenderedPage]] = BoundedCache(_MAX_CACHED)


class _MismatchError(Exception):
    """The new fragments do not fit into the previous email."""


def render_incrementally(
    page: Page, *, template: str, overrides: Path | None, stamps: FileStamps | None
) -> RenderedPage:
    """Like :func:`render_checked`, reusing the previous rendering where it still applies. ``stamps`` are
    those of the templates before ``page`` was made from their tokens and phrases."""
    key = (template, overrides, page.language, page.title, page.issue, page.form)
    cached = _cached_renders.get(key)
    rendered = None
    if cached and cached[1] == stamps:
        rendered = _update(cached[0], cached[2], page, template=template, overrides=overrides)
    rendered = rendered or render_checked(page, template=template, overrides=overrides)
    if stamps is not None:
        _cached_renders.put(key, (page, stamps, rendered))
    return rendered


def render_checked(
    page: Page, *, template: str, overrides: Path | None, inline_css: str | None = None
) -> RenderedPage:
    """Render ``page`` in the worker; raise TemplateError if that does, a text contains a reserved mark, or
    the template loses a fragment. Parts rendered before need no second check."""
    # The parts around the sections were checked with the whole page.
    refuse_reserved_marks(page if page.whole else page.sections)
    rendered = render_in_worker(page, template=template, overrides=overrides, inline_css=inline_css)
    _refuse_lost_fragments(page, rendered, template=template)
    return rendered


def _update(
    before: Page, rendered: RenderedPage, page: Page, *, template: str, overrides: Path | None
) -> RenderedPage | None:
    """Return the rendering of ``page`` made from that of ``before``; None if all has to be rendered."""
    known, stories = _list_stories(before), _list_stories(page)
    if list(known) != list(stories) or _without_stories(before) != _without_stories(page):
        return None
    changed = [place[1] for place, story in stories.items() if story != known[place]]
    if not changed:
        return rendered
    if not rendered.stories_isolated or len(changed) > len(stories) * _MAX_CHANGED_SHARE:
        return None
    try:
        some = _keep_stories(page, changed)
        css = rendered.inline_css
        partial = render_checked(some, template=template, overrides=overrides, inline_css=css)
        return _replace_stories(rendered, partial, changed)
    except (TemplateError, _MismatchError):
        # Rendering the whole email then reports the error with its line.
        return None


def _list_stories(page: Page) -> Mapping[tuple[str, str], StoryView]:
    return {(section.key, story.slug): story for section in page.sections for story in section.stories}


def _without_stories(page: Page) -> Page:
    return replace(page, sections=tuple(replace(section, stories=()) for section in page.sections))


def _refuse_lost_fragments(page: Page, rendered: RenderedPage, *, template: str) -> None:
    wanted = {(FragmentKind.section, section.key) for section in page.sections}
    wanted |= {(FragmentKind.story, story.slug) for section in page.sections for story in section.stories}
    for marked, ending in ((rendered.html, "mjml"), (rendered.text, "txt")):
        name = f"email/{template}.{ending}.j2"
        parts = parse_fragments(marked, what=name, markup=ending == "mjml")
        lost = wanted - {(fragment.kind, fragment.key) for fragment in walk_fragments(parts)}
        if lost:
            kind, key = min(lost)
            raise TemplateError(
                gettext_noop(
                    "%(name)s: the %(kind)s %(key)s is not in a fragment of its own. Write "
                    'begin("%(kind)s", %(kind)s.%(field)s) before it and end("%(kind)s") after it.'
                ),
                name=name,
                kind=kind,
                key=key,
                field="slug" if kind is FragmentKind.story else "key",
            )
        _refuse_lost_links(page, parts, name)


def _refuse_lost_links(page: Page, parts: Parts[str], name: str) -> None:
    """Refuse a card without the link to its story: its reader could not go on."""
    cards = {
        story.slug: story.url for section in page.sections if section.as_cards for story in section.stories
    }
    for one in walk_fragments(parts) if cards else ():
        url = cards.get(one.key, "").removesuffix(MergeTag.version.placeholder)
        if one.kind is FragmentKind.story and url and not any(url in text for text in walk_texts(one.parts)):
            raise TemplateError(f"{name}: {explain_lost_link(one.key)}")


def _keep_stories(page: Page, slugs: list[str]) -> Page:
    """Return ``page`` with only the stories ``slugs``, for their fragments alone."""
    sections = (
        replace(section, stories=tuple(story for story in section.stories if story.slug in slugs))
        for section in page.sections
    )
    return replace(
        page,
        whole=False,
        needs_head=False,
        sections=tuple(section for section in sections if section.stories),
    )


def _replace_stories(whole: RenderedPage, partial: RenderedPage, slugs: list[str]) -> RenderedPage:
    if not partial.stories_isolated:
        raise _MismatchError
    # What a component adds to the head is not in its fragment.
    written = _written_head(partial)
    if partial.beginning != whole.beginning or (written and written != _written_head(whole)):
        raise _MismatchError
    html, mjml, text = whole.html, whole.mjml, whole.text
    for slug in slugs:
        html = _replace_story(html, partial.html, slug, markup=True)
        mjml = _replace_story(mjml, partial.mjml, slug, markup=True)
        text = _replace_story(text, partial.text, slug, markup=False)
    return replace(whole, mjml=mjml, html=html, text=text)


def _written_head(rendered: RenderedPage) -> str:
    """Return what the templates themselves wrote into the head; empty if they skipped it."""
    return rendered.html[len(rendered.beginning) : rendered.html.find("</head>")]


def _replace_story(whole: str, partial: str, slug: str, *, markup: bool) -> str:
    old = find_fragment(whole, FragmentKind.story, slug, markup=markup)
    new = find_fragment(partial, FragmentKind.story, slug, markup=markup)
    if old is None or new is None:
        raise _MismatchError
    return f"{whole[: old[0]]}{partial[slice(*new)]}{whole[old[1] :]}"

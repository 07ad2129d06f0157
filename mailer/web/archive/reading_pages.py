"""The pages of one edition in the archive, with its corrections beside what they correct.

At a story a notice has the colours of the theme, light or dark, and only a line beside it is ours. Above the
mail no theme applies, so the summary brings its colours with it: dark on light, in both palettes.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from fastapi import Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from mailer.campaigns.corrections import SentCorrection, anchor_correction, format_day
from mailer.i18n import SOURCE_LANGUAGE, load_translator, match_language
from mailer.rendering.archive_urls import archive_url, story_url, version_query
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.template_context.page_builder import language_attributes
from mailer.rendering.themes.template_files import load_phrases
from mailer.rendering.web_edition import WebEdition, list_stories, restore_markup
from mailer.web.archive_store import ArchivedContent
from mailer.web.dependencies import Site
from mailer.web.forms import own_language_name
from mailer.web.mail_html import rewrite_media_urls
from mailer.web.security import READING_POLICY

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HEADING = re.compile(r"<h[1-6]\b")
# At least 3 to 1 on the sheets of both themes in both palettes.
_BESIDE = "border-left:4px solid #b26a00"
_COLOURS = f"background-color:#fdf3dc;color:#33270a;{_BESIDE}"
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-size:16px;line-height:24px"
_BOX = f"{_BESIDE};margin:0 0 20px;padding:2px 0 2px 16px"
_TOP = f"{_COLOURS};{_FONT};max-width:600px;margin:16px auto;padding:12px 16px;box-sizing:border-box"
_LINE = "margin:0 0 8px"
_TOP_LINE = "margin:0 0 8px;color:#33270a !important"
_LINK = "color:#33270a !important;text-decoration:underline"
_IDENTIFIER = re.compile(r'"([0-9a-f]{32})"')


def annotate_edition(
    content: CompiledEdition, corrections: Sequence[SentCorrection], overrides: Path | None
) -> CompiledEdition:
    """Return ``content`` with the ``corrections`` at the top and at their stories; only its HTML differs."""
    if not corrections:
        return content
    html = content.html
    for story, notices in _write_notices(corrections, content.language, overrides).items():
        html = _insert_at_story(html, story, notices)
    top = write_summary(corrections, content.language, overrides)
    body = _BODY.search(html)
    place = body.end() if body else 0
    return replace(content, html=f"{html[:place]}{top}{html[place:]}")


def _write_notices(
    corrections: Iterable[SentCorrection], language: str, overrides: Path | None
) -> Mapping[str, Markup]:
    """Write the corrections of each story in full, for a page in ``language``: what was said, and what is
    right, with the anchor that the mails of the correction link to.
    """
    notices: dict[str, Markup] = defaultdict(Markup)
    for sent in corrections:
        notices[sent.record.story] += _write_notice(sent, language, overrides)
    return dict(notices)


def _write_notice(sent: SentCorrection, language: str, overrides: Path | None) -> Markup:
    record, phrases = sent.record, load_phrases(language, overrides)
    tag, text = record.choose_text(language)
    marks = language_attributes(tag, language)
    explanation = Markup(text.html)  # noqa: S704 - sanitised when the note was read
    return Markup(
        '<div id="{}" role="note" style="{}"><p style="{}"><b>{}</b></p>'
        '<p style="{}"><b>{}</b><br /><q{}>{}</q></p><p style="{}"><b>{}</b><br /><span{}>{}</span></p>'
        "<div{}>{}</div></div>"
    ).format(
        *(anchor_correction(record), _BOX, _LINE, _head(sent, language, overrides)),
        *(_LINE, phrases.correction_was, marks, text.was),
        *(_LINE, phrases.correction_is, marks, text.right),
        *(marks, explanation),
    )


def write_summary(corrections: Sequence[SentCorrection], language: str, overrides: Path | None) -> Markup:
    """Return a line for each correction, with a link to the whole of it at its story."""
    lines = Markup().join(_write_line(sent, language, overrides) for sent in corrections)
    return Markup('<div role="note" style="{}">{}</div>').format(_TOP, lines)


def _write_line(sent: SentCorrection, language: str, overrides: Path | None) -> Markup:
    tag, text = sent.record.choose_text(language)
    marks = language_attributes(tag, language)
    return Markup(
        '<p style="{}"><b>{}</b><br /><a href="#{}" style="{}"{}>{}</a>: <span{}>{}</span></p>'
    ).format(
        *(_TOP_LINE, _head(sent, language, overrides), anchor_correction(sent.record), _LINK),
        *(marks, text.title, marks, text.right),
    )


def _head(sent: SentCorrection, language: str, overrides: Path | None) -> str:
    phrases = load_phrases(language, overrides)
    word = phrases.sections.get("correction") or "Correction"
    return f"{word} · {format_day(sent.record.day, language)}"


def _insert_at_story(html: str, story: str, notices: Markup) -> str:
    """Insert ``notices`` before the heading of a story, where every theme has room for a block."""
    found = find_fragment(html, FragmentKind.story, story, markup=True)
    heading = _HEADING.search(html, *found) if found else None
    if heading is None:
        return html
    return f"{html[: heading.start()]}{notices}{html[heading.start() :]}"


@dataclass(frozen=True, kw_only=True)
class ReadingPage:
    """A request for a page of the web edition, and what was found for it."""

    site: Site
    found: ArchivedContent
    web: WebEdition
    corrections: Sequence[SentCorrection]

    def render_edition(self) -> str:
        content, settings = self.found.content, self.site.workspace.settings
        overrides = self.site.workspace.template_overrides
        address = archive_url(settings.web.base_url, content.slug, content.language)
        pictures = [story["picture"] for story in list_stories(self.web) if story["picture"]]
        return self._render(
            "reading_edition.html",
            address=address,
            heading=content.title,
            description=content.preheader,
            picture=pictures[0] if pictures else None,
            alternates=[
                (tag, archive_url(settings.web.base_url, content.slug, tag)) for tag in self.found.languages
            ],
            summary=write_summary(self.corrections, content.language, overrides) if self.corrections else "",
        )

    def render_story(self, slug: str) -> str | None:
        """Return the page of one story; None if the edition has none of that name."""
        stories = list_stories(self.web)
        places = {story["slug"]: place for place, story in enumerate(stories)}
        if slug not in places:
            return None
        place, content, base = places[slug], self.found.content, self.site.workspace.settings.web.base_url
        story = stories[place]
        return self._render(
            "reading_story.html",
            address=story_url(base, content.slug, content.language, slug),
            heading=story["title"],
            description=story["lead"] or content.preheader,
            picture=story["picture"],
            alternates=[(tag, story_url(base, content.slug, tag, slug)) for tag in self.found.languages],
            story=restore_markup(story),
            section=restore_markup(next(one for one in self.web["sections"] if story in one["stories"])),
            previous=restore_markup(stories[place - 1]) if place else None,
            following=restore_markup(stories[place + 1]) if place + 1 < len(stories) else None,
        )

    def _render(self, template: str, **values: object) -> str:
        content, site, settings = self.found.content, self.site, self.site.workspace.settings
        # What surrounds the text is in the edition's language, if the pages have it.
        translator = load_translator(match_language([content.language]) or SOURCE_LANGUAGE)
        path = f"{site.renderer.prefix}{archive_url('', content.slug, content.language)}"
        answer = site.renderer.render(
            template,
            translator,
            status=200,
            web=restore_markup(self.web),
            content=content,
            chrome=language_attributes(translator.tag, content.language),
            path=path,
            # What ends every address of an edition outside the archive.
            version="" if self.found.is_public else version_query(content.digest),
            is_public=self.found.is_public,
            sent_at=self.found.sent_at,
            style=_write_palette(self.web["palette"]),
            locale=_name_locale(content.language),
            names={tag: own_language_name(tag) for tag in self.found.languages},
            notices=_write_notices(self.corrections, content.language, site.workspace.template_overrides),
            accessibility_path=f"{site.renderer.prefix}/accessibility",
            **values,
        )
        html = bytes(answer.body).decode()
        # The head keeps absolute addresses, for the programs that show a card of the page.
        head, end, body = html.partition("</head>")
        return head + end + rewrite_media_urls(body, settings.web.base_url, site.renderer.prefix)


def answer_page(request: Request, html: str, headers: Mapping[str, str]) -> Response:
    """Return the response with the page ``html``, or only that it has not changed (RFC 9110 §13.1.2)."""
    identifier = hashlib.sha256(html.encode()).hexdigest()[:32]
    values = {**headers, "content-security-policy": READING_POLICY, "etag": f'"{identifier}"'}
    if identifier in _IDENTIFIER.findall(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=values)
    return HTMLResponse(html, headers=values)


def _write_palette(palette: Mapping[str, Mapping[str, str]]) -> str:
    return ";".join(
        f"--{scheme[0]}-{name}:{value}"
        for scheme in ("light", "dark")
        for name, value in palette[scheme].items()
    )


def _name_locale(tag: str) -> str:
    """``tag`` as the Open Graph protocol writes it, with the likely country: en_US, zh_CN."""
    try:
        wanted = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return tag.replace("-", "_")
    likely: Mapping[str, str] = get_global("likely_subtags")
    found = likely.get("_".join(filter(None, (wanted.language, wanted.script)))) or likely.get(
        wanted.language, ""
    )
    country = wanted.territory or found.rpartition("_")[2]
    return f"{wanted.language}_{country}" if country else wanted.language

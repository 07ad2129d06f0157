"""Corrections beside what they correct: in the web edition, which otherwise stays as it was sent.

At a story a notice has the colours of the theme, light or dark, and only a line beside it is ours. Above the
mail no theme applies, so the summary brings its colours with it: dark on light, in both palettes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from mailer.campaigns.correction_edition import anchor_correction, format_day
from mailer.campaigns.correction_record import SentCorrection
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.template_context.language_markup import language_attributes
from mailer.rendering.themes.phrases import load_phrases

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


def annotate_edition(
    content: CompiledEdition, corrections: Sequence[SentCorrection], overrides: Path | None
) -> CompiledEdition:
    """``content`` with the ``corrections`` at the top and at their stories; only its HTML differs."""
    if not corrections:
        return content
    html = content.html
    stories = dict.fromkeys(sent.record.story for sent in corrections)
    for story in stories:
        mine = [sent for sent in corrections if sent.record.story == story]
        html = _insert_at_story(html, story, write_story_notices(mine, content.language, overrides))
    top = write_summary(corrections, content.language, overrides)
    body = _BODY.search(html)
    place = body.end() if body else 0
    return replace(content, html=f"{html[:place]}{top}{html[place:]}")


def write_story_notices(
    corrections: Iterable[SentCorrection], language: str, overrides: Path | None
) -> Markup:
    """Each correction of one story in full, for a page in ``language``: what was said, and what is right.

    Each has the anchor that the mails of the correction link to.
    """
    return Markup().join(_write_notice(sent, language, overrides) for sent in corrections)


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
    """A line for each correction, with a link to the whole of it at its story."""
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
    """``html`` with ``notices`` before the heading of a story, where every theme has room for a block."""
    found = find_fragment(html, FragmentKind.story, story, markup=True)
    heading = _HEADING.search(html, *found) if found else None
    if heading is None:
        return html
    return f"{html[: heading.start()]}{notices}{html[heading.start() :]}"

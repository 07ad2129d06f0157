"""Checks 9 and 18: all text is readable on its background, in the light palette and in the dark one."""

from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.checks.finding import Finding, excerpt, finding
from mailer.checks.mail.computed_style import Appearance, ComputedStyle, is_light
from mailer.checks.mail.parsed_mail import ParsedMail, TextRun
from mailer.rendering.themes.contrast_ratio import MIN_TEXT_CONTRAST, measure_contrast

_MIN_LARGE_CONTRAST = 3.0
_LARGE = 24
_LARGE_BOLD = 18.66
_KINDS = {
    Appearance.bare: gettext_noop("in programs that drop style sheets"),
    Appearance.light: gettext_noop("on a light background"),
    Appearance.dark: gettext_noop("in dark mode"),
}


def check_contrast(mail: ParsedMail) -> Iterator[Finding]:
    """9 and 18, for all three ways to display an email."""
    told: set[tuple[str, str]] = set()
    for appearance in (Appearance.light, Appearance.dark, Appearance.bare):
        styles = mail.styles_in(appearance)
        worst: dict[tuple[str, str, bool], TextRun] = {}
        for run in mail.text_runs:
            style = styles[run.node]
            key = (style.colour, style.background, _is_large(style))
            # Light text on a background that stayed light is reported by check_dark_backgrounds.
            if (
                key not in worst
                and not _is_light_on_light(style)
                and not style.has_background_image
                and _has_letters(run.text)
            ):
                worst[key] = run
        for (colour, background, large), run in worst.items():
            ratio, least = (
                measure_contrast(colour, background),
                _MIN_LARGE_CONTRAST if large else MIN_TEXT_CONTRAST,
            )
            if ratio < least and (colour, background) not in told:
                told.add((colour, background))
                yield finding(
                    "low-contrast",
                    gettext_noop(
                        "“%(words)s” is %(colour)s on %(background)s %(where)s: the contrast is %(ratio)s:1, "
                        "and text of this size needs %(least)s:1. Choose colours with more contrast."
                    )
                    % {
                        "words": excerpt(run.text),
                        "colour": colour,
                        "background": background,
                        "where": _KINDS[appearance],
                        "ratio": f"{ratio:.2f}",
                        "least": f"{least:g}",
                    },
                    key=f"{colour} {background}",
                    place=mail.place_of(run.node, run.text),
                )


def check_dark_backgrounds(mail: ParsedMail) -> Iterator[Finding]:
    """18: where a dark mode rule makes text light, every light background behind it has a dark mode rule
    too."""
    styles = mail.styles_in(Appearance.dark)
    backgrounds: dict[str, TextRun] = {}
    for run in mail.text_runs:
        style = styles[run.node]
        if _is_light_on_light(style) and _has_letters(run.text):
            backgrounds.setdefault(style.light_background, run)
    for background, run in backgrounds.items():
        yield finding(
            "bright-ground",
            Phrase(
                gettext_noop(
                    "“%(text)s” turns light in dark mode, but its background %(background)s does not "
                    "turn dark. Give every background a rule for dark mode."
                ),
                text=excerpt(run.text),
                background=background,
            ),
            key=background,
            place=mail.place_of(run.node, run.text),
        )


def _is_light_on_light(style: ComputedStyle) -> bool:
    return bool(style.is_dark_colour and style.light_background and is_light(style.colour))


def _is_large(style: ComputedStyle) -> bool:
    return style.font_size >= _LARGE or (style.is_bold and style.font_size >= _LARGE_BOLD)


def _has_letters(words: str) -> bool:
    return any(character.isalnum() for character in words)

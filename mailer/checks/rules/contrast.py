"""Checks 9 and 18: all text is readable on its background, in the light palette and in the dark one."""

from collections.abc import Iterator

from mailer.checks.document.computed_style import Appearance, ComputedStyle, is_light
from mailer.checks.document.parsed_mail import ParsedMail, TextRun
from mailer.checks.finding import Finding, excerpt, finding
from mailer.rendering.themes.contrast_ratio import MIN_TEXT_CONTRAST, measure_contrast

_MIN_LARGE_CONTRAST = 3.0
_LARGE = 24
_LARGE_BOLD = 18.66
_KINDS = {
    Appearance.bare: "in programs that drop style sheets",
    Appearance.light: "on a light background",
    Appearance.dark: "in dark mode",
}


def check_contrast(mail: ParsedMail) -> Iterator[Finding]:
    """9 and 18, for all three ways to display an email."""
    told: set[tuple[str, str]] = set()
    for appearance in (Appearance.light, Appearance.dark, Appearance.bare):
        looks = mail.styles_in(appearance)
        worst: dict[tuple[str, str, bool], TextRun] = {}
        for text in mail.text_runs:
            look = looks[text.node]
            key = (look.ink, look.ground, _is_large(look))
            # Light text on a background that stayed light is reported by check_dark_backgrounds.
            if (
                key not in worst
                and not _is_light_on_light(look)
                and not look.has_picture
                and _has_letters(text.words)
            ):
                worst[key] = text
        for (ink, ground, large), text in worst.items():
            ratio, least = measure_contrast(ink, ground), _MIN_LARGE_CONTRAST if large else MIN_TEXT_CONTRAST
            if ratio < least and (ink, ground) not in told:
                told.add((ink, ground))
                yield finding(
                    "low-contrast",
                    f"“{excerpt(text.words)}” is {ink} on {ground} {_KINDS[appearance]}: the contrast is "
                    f"{ratio:.2f}:1, and text of this size needs {least:g}:1. Choose colours with more "
                    "contrast.",
                    key=f"{ink} {ground}",
                )


def check_dark_backgrounds(mail: ParsedMail) -> Iterator[Finding]:
    """18: where a dark mode rule makes text light, every light background behind it has a dark mode rule
    too."""
    looks = mail.styles_in(Appearance.dark)
    grounds: dict[str, TextRun] = {}
    for text in mail.text_runs:
        look = looks[text.node]
        if _is_light_on_light(look) and _has_letters(text.words):
            grounds.setdefault(look.bright, text)
    for ground, text in grounds.items():
        yield finding(
            "bright-ground",
            f"“{excerpt(text.words)}” turns light in dark mode, but its background {ground} does not "
            "turn dark. Give every background a rule for dark mode.",
            key=ground,
        )


def _is_light_on_light(look: ComputedStyle) -> bool:
    return bool(look.is_dark_ink and look.bright and is_light(look.ink))


def _is_large(look: ComputedStyle) -> bool:
    return look.size >= _LARGE or (look.is_bold and look.size >= _LARGE_BOLD)


def _has_letters(words: str) -> bool:
    return any(character.isalnum() for character in words)

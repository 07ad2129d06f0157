"""Checks 9 and 18: every text can be read on its ground, in the light palette and in the dark one."""

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
    Appearance.light: "on a light ground",
    Appearance.dark: "in dark mode",
}


def check_contrast(mail: ParsedMail) -> Iterator[Finding]:
    """9 and 18, for all three ways a mail is drawn."""
    told: set[tuple[str, str]] = set()
    for appearance in (Appearance.light, Appearance.dark, Appearance.bare):
        looks = mail.styles_in(appearance)
        worst: dict[tuple[str, str, bool], TextRun] = {}
        for text in mail.text_runs:
            look = looks[text.node]
            key = (look.ink, look.ground, _is_large(look))
            # A light ink on a ground that stayed light is the fault of the ground, see check_grounds.
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
                    f"“{excerpt(text.words)}” is {ink} on {ground} {_KINDS[appearance]}: {ratio:.2f}:1, and "
                    f"text of its size needs {least:g}:1. Take a colour further from its ground.",
                    key=f"{ink} {ground}",
                )


def check_dark_backgrounds(mail: ParsedMail) -> Iterator[Finding]:
    """18: where a dark rule makes words light, every light ground below them has a dark rule too."""
    looks = mail.styles_in(Appearance.dark)
    grounds: dict[str, TextRun] = {}
    for text in mail.text_runs:
        look = looks[text.node]
        if _is_light_on_light(look) and _has_letters(text.words):
            grounds.setdefault(look.bright, text)
    for ground, text in grounds.items():
        yield finding(
            "bright-ground",
            f"“{excerpt(text.words)}” becomes light in dark mode and the ground {ground} below it does not "
            "become dark. Give every painted ground a rule for dark mode.",
            key=ground,
        )


def _is_light_on_light(look: ComputedStyle) -> bool:
    return bool(look.is_dark_ink and look.bright and is_light(look.ink))


def _is_large(look: ComputedStyle) -> bool:
    return look.size >= _LARGE or (look.is_bold and look.size >= _LARGE_BOLD)


def _has_letters(words: str) -> bool:
    return any(character.isalnum() for character in words)

"""Runs all checks on emails, and reports once what several emails have in common."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from editions.problem import Problem
from locales.phrase import gettext_noop
from mailer.checks.finding import Finding
from mailer.checks.mail.checked_mail import Mail
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.checks.registry import CHECKS
from mailer.checks.rules import (
    body_parts,
    client_support,
    contrast,
    first_words,
    head,
    language,
    legibility,
    links,
    message_headers,
    outlook,
    pictures,
    size,
    structure,
    unprocessed_markup,
)
from mailer.checks.source_lines import UNKNOWN_LINE, SourceLine, SourceLines

_RULES: Sequence[Callable[[ParsedMail], Iterator[Finding]]] = (
    language.check_language,
    structure.check_title,
    structure.check_tables,
    pictures.check_alt_texts,
    structure.check_headings,
    links.check_link_texts,
    contrast.check_contrast,
    legibility.check_legibility,
    language.check_foreign_words,
    language.check_phrases,
    language.check_fonts,
    size.check_size,
    head.check_style_sizes,
    head.check_doctype,
    head.check_meta_tags,
    head.check_dark_rules,
    contrast.check_dark_backgrounds,
    pictures.check_sizes,
    pictures.check_formats,
    pictures.check_weight,
    pictures.check_text_ratio,
    client_support.check_backgrounds,
    outlook.check_buttons,
    outlook.check_resolution,
    outlook.check_conditionals,
    outlook.check_tag_balance,
    client_support.check_support,
    links.check_targets,
    body_parts.check_preheader,
    first_words.check_first_words,
    body_parts.check_text_part,
    body_parts.check_unsubscribe_links,
    message_headers.check_headers,
    links.check_tracking_parameters,
    unprocessed_markup.check_unprocessed_markup,
)
"""In the order of the list of 39; 30 and parts of others are about the files, 38 about MJML, 39 about the
network."""


# Tells a theme of another program. What a writer wrote is for the checks of the files, and may be in code.
_THEME_CODES = frozenset({"merge-left"})
_MAX_OTHER_LINES = 3


def check_mails(mails: Iterable[Mail], source: SourceLines | None = None) -> list[Problem]:
    """All errors and warnings in any of ``mails``, the distinct emails of one edition, with the file and line
    of ``source`` that each comes from.

    What several of them have in common is one problem, which states which ones or how many.
    """
    seen = list(mails)
    merged: dict[tuple[str, str], list[tuple[Mail, Finding]]] = {}
    for mail in seen:
        for finding in run_checks(mail):
            if not (source and _is_written(finding, source)):
                merged.setdefault((finding.code, finding.key), []).append((mail, finding))
    return sorted(_merge_findings(occurrences, seen, source) for occurrences in merged.values())


def run_checks(mail: Mail) -> list[Finding]:
    """Every finding of every check for one email, without duplicates: the same in several places is one."""
    parsed = ParsedMail(mail)
    faults: dict[tuple[str, str], Finding] = {}
    for question in _RULES:
        for finding in question(parsed):
            first = faults.setdefault((finding.code, finding.key), finding)
            if first is not finding:
                places = (*first.places, *finding.places)
                faults[finding.code, finding.key] = replace(first, places=places)
    return list(faults.values())


def _is_written(finding: Finding, source: SourceLines) -> bool:
    texts = (text for place in finding.places for text in place.texts)
    return finding.code in _THEME_CODES and any(map(source.contains, texts))


def _merge_findings(
    occurrences: Sequence[tuple[Mail, Finding]], mails: Sequence[Mail], source: SourceLines | None
) -> Problem:
    """One problem for the same finding in several emails, in the words of the heaviest."""
    worst, finding = max(occurrences, key=lambda occurrence: occurrence[1].weight)
    where = _describe_scope([mail for mail, _ in occurrences], worst, mails)
    lines = _list_lines([(worst, finding), *occurrences], source) if source else []
    first, *others = lines or [UNKNOWN_LINE]
    return Problem(
        path=first.path,
        line=first.line,
        level=CHECKS[finding.code].level,
        code=finding.code,
        # Always one line, whatever was in an attribute quoted in it.
        message=" ".join(f"{where}{finding.message}{_describe_others(others)}".split()),
    )


def _list_lines(occurrences: Iterable[tuple[Mail, Finding]], source: SourceLines) -> list[SourceLine]:
    """The lines that a finding comes from, in the order of ``occurrences``."""
    lines = dict.fromkeys(
        source.locate(place, mail.language) for mail, finding in occurrences for place in finding.places
    )
    return [line for line in lines if line != UNKNOWN_LINE]


def _describe_others(others: Sequence[SourceLine]) -> str:
    """The end of a message, if the same was found on other lines too."""
    if not others:
        return ""
    shown = [f"{path}:{line}" for path, line in others[:_MAX_OTHER_LINES]]
    if more := len(others) - len(shown):
        words = (
            gettext_noop("The same at %(places)s and 1 more place.")
            if more == 1
            else gettext_noop("The same at %(places)s and %(number)s more places.")
        )
        return " " + words % {"places": ", ".join(shown), "number": more}
    *most, last = shown
    named = f"{', '.join(most)} and {last}" if most else last
    return " " + gettext_noop("The same at %(places)s.") % {"places": named}


def _describe_scope(found: Sequence[Mail], worst: Mail, mails: Sequence[Mail]) -> str:
    """The start of a message: the language, and which of its variants unless it is all of them."""
    languages = {mail.language for mail in found}
    alike = [mail for mail in mails if mail.language in languages]
    if len(found) < len(alike):
        message = gettext_noop("%(languages)s, %(number)s of %(total)s variants: %(words)s")
        if worst.variant and len(found) > 1:
            message = gettext_noop(
                "%(languages)s, %(number)s of %(total)s variants, such as %(variant)s: %(words)s"
            )
        elif worst.variant:
            message = gettext_noop("%(languages)s, %(number)s of %(total)s variants (%(variant)s): %(words)s")
        return message % {
            "languages": ", ".join(sorted(languages)),
            "number": len({*map(id, found)}),
            "total": len(alike),
            "variant": worst.variant,
            "words": "",
        }
    if len(languages) > 1 and len(found) == len(mails):
        return ""
    return f"{', '.join(sorted(languages))}: "

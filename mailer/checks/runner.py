"""Runs all checks on emails, and reports once what several emails have in common."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from editions.problem import Problem
from editions.source.folder import EDITION_FILE
from mailer.checks.finding import Finding
from mailer.checks.mail.checked_mail import Mail
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.checks.registry import CHECKS
from mailer.checks.rules import (
    body_parts,
    client_support,
    contrast,
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
    body_parts.check_text_part,
    body_parts.check_unsubscribe_links,
    message_headers.check_headers,
    links.check_tracking_parameters,
    unprocessed_markup.check_unprocessed_markup,
)
"""In the order of the list of 39; 30 and parts of others are about the files, 38 about MJML, 39 about the
network."""


def check_mails(mails: Iterable[Mail]) -> list[Problem]:
    """All errors and warnings in any of ``mails``, the distinct emails of one edition.

    What several of them have in common is one problem, which states which ones or how many.
    """
    seen = list(mails)
    merged: dict[tuple[str, str], list[tuple[Mail, Finding]]] = {}
    for mail in seen:
        for finding in run_checks(mail):
            merged.setdefault((finding.code, finding.key), []).append((mail, finding))
    return sorted(_merge_findings(occurrences, seen) for occurrences in merged.values())


def run_checks(mail: Mail) -> list[Finding]:
    """Every finding of every check for one email, without duplicates."""
    parsed = ParsedMail(mail)
    faults: dict[tuple[str, str], Finding] = {}
    for question in _RULES:
        for finding in question(parsed):
            faults.setdefault((finding.code, finding.key), finding)
    return list(faults.values())


def _merge_findings(occurrences: Sequence[tuple[Mail, Finding]], mails: Sequence[Mail]) -> Problem:
    """One problem for the same finding in several emails, in the words of the heaviest."""
    worst, finding = max(occurrences, key=lambda occurrence: occurrence[1].weight)
    where = _describe_scope([mail for mail, _ in occurrences], worst, mails)
    return Problem(
        path=EDITION_FILE,
        line=1,
        level=CHECKS[finding.code].level,
        code=finding.code,
        # Always one line, whatever was in an attribute quoted in it.
        message=" ".join(f"{where}{finding.message}".split()),
    )


def _describe_scope(found: Sequence[Mail], worst: Mail, mails: Sequence[Mail]) -> str:
    """The start of a message: the language, and which of its variants unless it is all of them."""
    languages = {mail.language for mail in found}
    alike = [mail for mail in mails if mail.language in languages]
    if len(found) < len(alike):
        named = (
            f", such as {worst.variant}"
            if worst.variant and len(found) > 1
            else f" ({worst.variant})"
            if worst.variant
            else ""
        )
        return f"{', '.join(sorted(languages))}, {len({*map(id, found)})} of {len(alike)} variants{named}: "
    if len(languages) > 1 and len(found) == len(mails):
        return ""
    return f"{', '.join(sorted(languages))}: "

"""Corrections in the feeds: each is an entry of its own beside that of its edition."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailer.campaigns.correction_edition import anchor_correction
from mailer.rendering.themes.phrases import load_phrases
from mailer.web.archive_store import ArchivedEdition


@dataclass(frozen=True, kw_only=True)
class CorrectionEntry:
    """A correction in the language of its edition. ``anchor`` ends its address in the web edition."""

    anchor: str
    title: str
    summary: str
    sent_at: datetime


def list_correction_entries(edition: ArchivedEdition, overrides: Path | None) -> Iterator[CorrectionEntry]:
    """The entries for the corrections of ``edition``, newest first."""
    phrases = load_phrases(edition.language, overrides)
    for sent in reversed(edition.corrections):
        _, text = sent.record.choose_text(edition.language)
        yield CorrectionEntry(
            anchor=f"#{anchor_correction(sent.record)}",
            title=phrases.correction.format(what=text.title),
            summary=f"{phrases.correction_was}: {text.was}\n{phrases.correction_is}: {text.right}",
            sent_at=sent.sent_at,
        )

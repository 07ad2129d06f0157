"""Notes that correct a story of the small edition, and corrections that were sent."""

from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from mailer.campaigns.corrections import (
    CorrectionRecord,
    CorrectionText,
    name_correction,
    store_correction,
)
from mailer.database.models import CampaignState
from tests.factories.deliveries import START, add_campaign

_NOTE = """\
---
was: {was}
is: {right}
date: 2026-03-05
---

The organisers told us of their mistake the next day.
"""
_CHINESE = """\
---
was: 六十名教师参加了会面。
is: 八十名教师参加了会面。
---

主办方次日告知了我们。
"""
WAS = "Sixty teachers met."
RIGHT = "Eighty teachers met."


def write_note(folder: Path, *, was: str = WAS, right: str = RIGHT, translated: bool = True) -> Path:
    """Write a note and, if it is ``translated``, the same in Chinese beside it; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "teachers.md"
    note.write_text(_NOTE.format(was=was, right=right), encoding="utf-8")
    translation = folder / "teachers.zh.md"
    translation.unlink(missing_ok=True)
    if translated:
        translation.write_text(_CHINESE, encoding="utf-8")
    return note


CORRECTED_AT = START + timedelta(days=3)


def add_correction(
    engine: Engine,
    story: str,
    number: int = 1,
    *,
    edition: str = "2021-2",
    state: CampaignState = CampaignState.finished,
    at: datetime = CORRECTED_AT,
) -> int:
    """Store a correction with a campaign that has sent it; return the campaign's id."""
    texts = {
        "en": CorrectionText(
            title="A forum <for> youth",
            was="It met on 3 May & left.",
            right="It met on 5 May.",
            html="<p>We are <em>sorry</em>.</p>",
            text="We are sorry.",
        ),
        "zh": CorrectionText(title="青年论坛", was="五月三日。", right="五月五日。", html="", text=""),
    }
    record = CorrectionRecord(
        name=name_correction(edition, number),
        edition=edition,
        story=story,
        number=number,
        digest=f"{number:064}",
        language="en",
        day=date(2026, 3, 5),
        texts=texts,
    )
    with engine.begin() as connection:
        store_correction(connection, record, at)
    return add_campaign(engine, 0, edition=record.name, state=state, launched_at=at, title="", archived=False)

"""A small edition in two languages, and a list to send it to."""

from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from subscribers.consent.status_changes import add_consent_record
from subscribers.models import ConsentEvent, Status, Subscriber, SubscriberSector
from tests.factories.deliveries import START

SLUG = "2026-1"


_ENGLISH = """\
---
title: Partner News
number: 1/2026
period: January to March 2026
date: 2026-03-01
language: en
subject: {subject}
preheader: What partners in five countries did together this quarter
letter:
  title: Dear partners
  name: A. Director
  titles: [Director]
---

Thank you for your work.
"""
_CHINESE = """\
---
title: 合作伙伴通讯
subject: 来自现场的消息
preheader: 本季度五个国家的合作伙伴共同开展的工作
letter:
  title: 亲爱的合作伙伴
---

感谢你们的工作。
"""
_STORY = """\
---
title: Teachers meet in Ulaanbaatar
sector: education
countries: [MN]
---

Sixty teachers met to share what works in their classrooms.
"""
_CHINESE_STORY = """\
---
title: 教师在乌兰巴托会面
---

六十名教师分享了课堂经验。
"""


_SECOND_STORY = """\
---
title: A museum opens at night in Beijing
sector: culture
countries: [CN]
---

The doors stayed open until midnight, and school classes came first.
"""


def write_second_story(folder: Path, *, personalise: str) -> None:
    """Add a second story to the edition of :func:`write_edition`, and set ``personalise``."""
    (folder / "stories" / "020-museum.md").write_text(_SECOND_STORY, encoding="utf-8")
    edition = folder / "edition.md"
    text = edition.read_text(encoding="utf-8")
    edition.write_text(text.replace("language: en", f"language: en\npersonalise: {personalise}"))


def write_links(folder: Path) -> None:
    """Add links to the story of :func:`write_edition`, in both languages. One is the same in both, and one is
    written twice."""
    links = {
        "": "[The report](https://example.org/report?a=1&b=2), [for teachers](https://example.org/teachers) "
        "and [once more](https://example.org/teachers). See also [example.org](https://example.org/all).",
        ".zh": "[报告](https://example.org/report?a=1&b=2)，[中文](https://example.org/zh).",
    }
    for ending, words in links.items():
        path = folder / "stories" / f"010-teachers{ending}.md"
        path.write_text(path.read_text(encoding="utf-8") + f"\n{words}\n", encoding="utf-8")


def write_edition(editions: Path, slug: str = SLUG, *, subject: str = "News from the field") -> Path:
    """Write an edition with one story, in English and Chinese, without pictures."""
    folder = editions / slug
    (folder / "stories").mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    (folder / "edition.md").write_text(_ENGLISH.format(subject=subject), encoding="utf-8")
    (folder / "edition.zh.md").write_text(_CHINESE, encoding="utf-8")
    (folder / "stories" / "010-teachers.md").write_text(_STORY, encoding="utf-8")
    (folder / "stories" / "010-teachers.zh.md").write_text(_CHINESE_STORY, encoding="utf-8")
    return folder


PEOPLE = [
    # address, country, language, status, sectors
    ("bat@example.org", "MN", "mn", Status.active, ["education"]),
    ("li@example.org", "CN", "zh-Hans", Status.active, ["education", "culture"]),
    ("kim@example.org", "KR", None, Status.active, []),
    ("sato@example.org", "JP", "ja", Status.active, ["culture"]),
    ("gone@example.org", "MN", "en", Status.unsubscribed, ["education"]),
    ("dead@example.org", None, None, Status.bounced, []),
    ("quiet@example.org", "MN", "en", Status.paused, ["education"]),
]


def add_people(engine: Engine) -> None:
    """Add four subscribers who get mail and three who do not, with the consent records the law asks for."""
    with Session(engine) as session:
        for address, country, language, status, sectors in PEOPLE:
            person = Subscriber(
                email=address,
                envelope=address,
                name=address.partition("@")[0].title(),
                country=country,
                language=language,
                status=status,
                created_at=START,
                updated_at=START,
            )
            session.add(person)
            session.flush()
            session.add_all(
                SubscriberSector(subscriber_id=person.id or 0, sector=sector) for sector in sectors
            )
            if country == "JP":
                add_consent_record(session, person, ConsentEvent.subscribed, method="page", now=START)
        session.commit()

"""The sample edition in a Studio whose team has worked on it: texts with a history, two that met in a
conflict, comments, translations that are done and outdated, and a log of all that."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from editions.source.text_file import text_digest
from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.comments.thread_list import anchor_passage, list_passages
from mailer.comments.threads import begin_thread, reply, resolve_thread
from mailer.database.edition_models import TranslationBase
from mailer.database.team_models import MemberPasskey, Role
from mailer.revisions.edition_file import EditionFile, TextSave, read_edition_file
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.team.invitations import invite_member
from mailer.team.members import Member
from tests.web.studio.conftest import Studio

EDITION = "unesco-beijing-2021-2"
STORY = "cop15-kunming"
TITLE = "Kunming opens a new chapter for biodiversity"
TRANSLATED = "nanjing-peace-forum"
"""A story whose Chinese translation is older than the original."""
CONTESTED = "mil-forum-mongolia"
"""A story that two have written in at once."""

_FILE = f"stories/090-{STORY}.md"
_TRANSLATED_FILE = f"stories/120-{TRANSLATED}.md"
_CONTESTED_FILE = f"stories/190-{CONTESTED}.md"


@dataclass(frozen=True, kw_only=True)
class Newsroom:
    """What :func:`found_newsroom` has made: the people, and the numbers that addresses need."""

    mei: Member
    ann: Member
    ben: Member
    gus: Member
    conflict: int
    passkey: int


def found_newsroom(studio: Studio, now: datetime) -> Newsroom:
    """Fill the Studio of a workspace with the sample edition; the last of it happened at ``now``."""
    mei = studio.add_member(Role.manager, "Mei Tanaka", "mei@example.org")
    ann = studio.add_member(Role.author, "Ann Osei", "ann@example.org")
    ben = studio.add_member(Role.approver, "Ben Oyun", "ben@example.org")
    gus = studio.add_member(Role.guest, "Gus Lindqvist", "gus@example.org")
    work = _Work(studio=studio, now=now)
    work.invite(mei)
    work.write_history(mei, ann, ben)
    work.translate(ben)
    work.comment(mei, ann, ben)
    work.record(mei, ann, ben)
    return Newsroom(
        mei=mei, ann=ann, ben=ben, gus=gus, conflict=work.contest(mei, ben), passkey=work.add_passkey(mei)
    )


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What the members do, each at so many minutes before ``now``."""

    studio: Studio
    now: datetime

    @property
    def folder(self) -> Path:
        return self.studio.workspace.editions / EDITION

    def at(self, minutes: int) -> datetime:
        return self.now - timedelta(minutes=minutes)

    def save(
        self, member: Member, name: str, text: str, *, minutes: int, base: str | None = None
    ) -> EditionFile | Conflict:
        if base is None:
            path = self.folder / name
            base = read_edition_file(self.folder, name).digest if path.is_file() else ""
        with Session(self.studio.engine) as session:
            done = save_edition_file(
                self.studio.workspace,
                session,
                TextSave(
                    edition=EDITION,
                    name=name,
                    text=text,
                    base=base,
                    member=member,
                    sitting=f"{member.name}, {minutes}",
                    now=self.at(minutes),
                ),
            )
            session.commit()
        return done

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write_history(self, mei: Member, ann: Member, ben: Member) -> None:
        text = self.read(_FILE)
        first = text.replace(" when the meeting resumes in spring 2022", " in spring 2022")
        second = first.replace("Almost 2918 delegates came to the city", "2918 delegates came to Kunming")
        for member, words, minutes in ((ann, first, 1600), (ben, second, 220), (ann, text, 95)):
            assert isinstance(self.save(member, _FILE, words, minutes=minutes), EditionFile)
        last = text.replace(
            "This first phase prepared the ground",
            "The world watched, and rivers, forests and seas were on every agenda. This first phase prepared "
            "the ground",
        ).replace("Almost 2918", "Exactly 2918")
        assert isinstance(self.save(mei, _FILE, last, minutes=31), EditionFile)

    def contest(self, mei: Member, ben: Member) -> int:
        before = read_edition_file(self.folder, _CONTESTED_FILE)
        head, _, body = before.text.partition("\n---\n\n")
        first, *rest = body.split("\n\n")
        theirs = "\n\n".join([f"{first} Ninety people came.", *rest])
        mine = "\n\n".join([f"{first} Close to a hundred people came, most of them young.", *rest])
        self.save(ben, _CONTESTED_FILE, f"{head}\n---\n\n{theirs}", minutes=22, base=before.digest)
        mine = f"{head}\n---\n\n{mine.rstrip()}\n\nA second forum is planned for next year.\n"
        conflict = self.save(mei, _CONTESTED_FILE, mine, minutes=20, base=before.digest)
        assert isinstance(conflict, Conflict)
        return conflict.number

    def translate(self, ben: Member) -> None:
        """A translation that is up to date, and one whose original was changed since."""
        for name, slug, title in (
            (_FILE, STORY, "昆明为生物多样性翻开新篇章"),
            (_TRANSLATED_FILE, TRANSLATED, "南京和平论坛"),
        ):
            original = self.read(name)
            text = (
                f"---\ntitle: {title}\ntranslated_from: {text_digest(original)}\nimage:\n"
                "  alt: 抽象的插图\n  caption: 插图\n---\n\n"
                + "\n\n".join(_CHINESE[: original.partition("\n---\n\n")[2].count("\n\n") + 1])
                + "\n"
            )
            self.save(ben, name.replace(".md", ".zh.md"), text, minutes=180)
            with Session(self.studio.engine) as session:
                session.add(
                    TranslationBase(
                        edition=EDITION,
                        story=slug,
                        language="zh",
                        digest=text_digest(original),
                        text=original,
                        recorded_at=self.at(180),
                    )
                )
                session.commit()
        text = self.read(_TRANSLATED_FILE).rstrip()
        self.save(ben, _TRANSLATED_FILE, f"{text} The next forum is in September.\n", minutes=60)

    def comment(self, mei: Member, ann: Member, ben: Member) -> None:
        body = self.read(_FILE).partition("\n---\n\n")[2]
        quote = "Exactly 2918 delegates came to the city"
        anchor = anchor_passage(list_passages([TITLE], body), quote)
        place = {"edition": EDITION, "story": STORY, "title": TITLE}
        with Session(self.studio.engine) as session:
            one = begin_thread(
                session,
                ann,
                "@Mei Tanaka the press release says “almost”. Which of the two do we use?",
                **place,
                anchor=anchor,
                mentioned=[mei.id],
                request="one",
                now=self.at(28),
            )
            reply(session, ben, one, "The list of the secretariat has 2,918.", request="two", now=self.at(25))
            done = begin_thread(
                session,
                ben,
                "The caption should name the photographer.",
                **place,
                request="three",
                now=self.at(300),
            )
            resolve_thread(session, ann, done, now=self.at(240))
            begin_thread(
                session,
                ben,
                "Could the letter be a little shorter?",
                edition=EDITION,
                story="",
                title="The letter",
                request="four",
                now=self.at(50),
            )
            session.commit()

    def invite(self, mei: Member) -> None:
        with Session(self.studio.engine) as session:
            invite_member(
                session, "kim@example.org", "Kim Soo-ah", Role.author, invited_by=mei.id, now=self.at(2000)
            )
            session.commit()

    def add_passkey(self, member: Member) -> int:
        with Session(self.studio.engine) as session:
            row = MemberPasskey(
                member_id=member.id,
                credential_id="x",
                public_key=b"x",
                name="Office laptop",
                created_at=self.at(3000),
            )
            session.add(row)
            session.commit()
            return row.id or 0

    def record(self, mei: Member, ann: Member, ben: Member) -> None:
        acts: Iterable[tuple[Member, Act, str, str, str, int]] = (
            (mei, Act.invited_member, "", "kim@example.org", "author", 2000),
            (ann, Act.imported_edition, EDITION, "newsletter.docx", "", 1900),
            (ann, Act.wrote_text, EDITION, STORY, "", 1600),
            (ben, Act.moved_story, EDITION, TRANSLATED, "", 400),
            (ben, Act.wrote_text, EDITION, STORY, "", 220),
            (ben, Act.confirmed_translation, EDITION, STORY, "zh", 180),
            (ann, Act.wrote_text, EDITION, STORY, "", 95),
            (ann, Act.changed_details, EDITION, "", "", 80),
            (mei, Act.wrote_text, EDITION, STORY, "", 31),
            (mei, Act.changed_role, "", "ben@example.org", "author → approver", 15),
        )
        with Session(self.studio.engine) as session:
            for member, act, edition, subject, detail, minutes in acts:
                record_activity(
                    session,
                    Actor.from_member(member),
                    Deed(act=act, edition=edition, subject=subject, detail=detail),
                    now=self.at(minutes),
                )
            session.commit()


_CHINESE = (
    "今年秋天，各国的伙伴聚在一起，分享经验，讨论下一步的工作。",
    "与会者来自许多城市，有的在现场，有的在线上。",
    "会议为今后几年的合作打下了基础。",
    "青年人讲述了自己的故事。",
    "组织者感谢所有参加的人。",
    "下一次会议将在明年举行。",
)

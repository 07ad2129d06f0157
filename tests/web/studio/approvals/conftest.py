"""A Studio with a prepared campaign, and a member of each role who visits its pages by plain HTTP."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlmodel import Session, delete, select

from mailer.activity.acts import Act
from mailer.campaigns.approvals.people import make_link
from mailer.campaigns.approvals.rounds import find_last_round
from mailer.campaigns.preparation.preparation_store import (
    find_preparation,
    read_preparation,
    save_preparation,
)
from mailer.database.approval_models import ApprovalMail, ApprovalReviewer
from mailer.database.models import Campaign
from mailer.database.team_models import ActivityRecord, Role, TeamMember
from mailer.web.dependencies import utc_now
from tests.factories.small_edition import SLUG, add_people
from tests.web.studio.house import Answer, House, open_house


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The Studio, and the campaign ``number`` that is prepared in it."""

    house: House
    number: int

    @property
    def path(self) -> str:
        return f"/campaigns/{self.number}/approval"

    def see(self, who: str = "manager", path: str = "") -> str:
        """The words of a page, which has to be there."""
        answer = self.house.ask("GET", path or self.path, who)
        assert answer.status == 200, f"{path or self.path}: {answer.status}"
        return read_words(answer)

    def ask_for_approval(self, who: str = "author", note: str = "") -> Answer:
        return self.house.ask("POST", self.path, who, form={"note": note})

    def ask_in_steps(self, steps: Mapping[str, str], who: str = "manager") -> Answer:
        """Send the form of the steps."""
        return self.house.ask("POST", f"{self.path}/steps", who, form=steps)

    def answer(
        self, who: str, verdict: str = "approved", words: str = "", *, seen: str = "", number: int = 0
    ) -> Answer:
        """Answer as the page's form does, to the newest request."""
        last, digest = self.read_last_round()
        form = {
            "round": str(number or last),
            "seen": seen or digest,
            "verdict": verdict,
            "words": words,
        }
        return self.house.ask("POST", f"{self.path}/answer", who, form=form)

    def read_last_round(self) -> tuple[int, str]:
        """The number of the newest request, and the digest of what it asks for."""
        with self.house.studio.engine.connect() as connection:
            found = find_last_round(connection, self.number)
        return (found.id, found.digest) if found is not None else (1, "")

    def find_member(self, role: str) -> int:
        with Session(self.house.studio.engine) as session:
            found = session.exec(
                select(TeamMember.id).where(TeamMember.role == Role(role), TeamMember.name == f"{role} X")
            )
            return found.one() or 0

    def make_review_link(self) -> str:
        """The path of the newest outside reviewer's link."""
        with Session(self.house.studio.engine) as session:
            newest = session.exec(select(ApprovalReviewer).order_by("id")).all()[-1]
            # Its own mail, which cannot be sent here, would make another link when it is tried.
            session.exec(delete(ApprovalMail))
            secret = make_link(session.connection(), newest.id or 0, now=utc_now())
            session.commit()
        return f"/review/{secret}"

    def read_campaign(self) -> Campaign:
        with Session(self.house.studio.engine) as session:
            return session.get_one(Campaign, self.number)

    def list_acts(self) -> list[Act]:
        with Session(self.house.studio.engine) as session:
            return [Act(row.act) for row in session.exec(select(ActivityRecord).order_by("id"))]

    def choose_segment(self, segment: str) -> None:
        with Session(self.house.studio.engine) as session:
            before = read_preparation(session, self.number)
            assert before is not None
            after = replace(before.decisions, segment=segment)
            save_preparation(session, before, after, member_id=None, now=utc_now())
            session.commit()

    def rewrite(self, name: str, old: str, new: str) -> None:
        path = self.house.studio.workspace.editions / SLUG / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


def read_words(answer: Answer) -> str:
    """The text of a page, without its markup."""
    text = re.sub(r"<(script|style|head)\b.*?</\1>", " ", answer.body.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("approvals"), sqlite_template) as house:
        add_people(house.studio.engine)
        yield house


@pytest.fixture
def desk(house: House) -> Iterator[Desk]:
    engine = house.studio.engine
    with Session(engine) as session:
        begun = find_preparation(session, SLUG)
        assert begun is not None
        decided = replace(begun.decisions, segment="country:MN,CN")
        save_preparation(session, begun, decided, member_id=None, now=utc_now())
        session.commit()
    yield Desk(house=house, number=begun.campaign_id)
    house.restore()

"""A Studio in which a whole newsletter is under way, for pictures: the demo has sent an edition and read what
came back, and the team has prepared, asked about, launched and scheduled others."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update
from sqlmodel import Session, col, delete

from mailer.campaigns.approvals.people import WantedReviewer, WantedStep, list_reviewers, make_link
from mailer.campaigns.approvals.request import ask_for_approval
from mailer.campaigns.approvals.steps import Needs, Person
from mailer.campaigns.launch import launch
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.named_plan import plan_prepared_campaign
from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.preparation.preparation import Decisions, Preparation
from mailer.campaigns.preparation.preparation_store import begin_preparation, save_preparation
from mailer.campaigns.uses import make_lookups
from mailer.database.approval_models import ApprovalMail
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher
from mailer.database.team_models import Role
from mailer.demo import run_walkthrough
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good, keep_diagnosis
from mailer.web.dependencies import utc_now
from mailer.workspace import open_workspace
from scripts.silent_output import SilentOutput
from subscribers.queries import find_subscriber
from subscribers.segments.saved_segments import save_segment
from subscribers.segments.segment import parse_segment
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.newsroom import EDITION, Newsroom, found_newsroom

QUERY = "country:MN,CN sector:education"
"""Whom the pictures are about: "partners in Mongolia and China who follow Education"."""

_PARTNER = "desk@moe.mn.example.org"
"""Whose page is shown."""

_ENVIRON = {
    # What the team is mailed goes to a folder.
    "MAILER_SMTP__URL": "maildir:mails",
    "MAILER_WEB__BASE_URL": "https://newsletter.example.org",
    "MAILER_STUDIO__TIME_ZONE": "Asia/Shanghai",
}
_SENDING, _ASKED, _PLANNED, _READY = "2022-1", "2022-2", "2022-3", "2023-1"
_PERIODS = {
    _SENDING: "January to April 2022",
    _ASKED: "May to August 2022",
    _PLANNED: "September to December 2022",
    _READY: "January to April 2023",
}
"""The editions after that of the demo: numbers and months."""

_S = DeliveryState
_OUTCOMES: Sequence[tuple[int, dict[str, object]]] = (
    (34, {"state": _S.sent}),
    (2, {"state": _S.rejected, "code": 550, "reason": "5.1.1 The account you tried to reach does not exist"}),
    (1, {"state": _S.rejected, "code": 552, "reason": "5.2.2 The recipient's mailbox is full"}),
    (1, {"state": _S.rejected, "code": 554, "reason": "5.7.1 Message rejected as spam by our filter"}),
    (2, {"state": _S.in_doubt, "doubted": True, "reason": "no reply within 300 s"}),
    (1, {"state": _S.in_doubt, "doubted": True, "reason": "the connection was closed after the message"}),
    (1, {"state": _S.sent, "doubted": True, "reason": "proved by a click"}),
)  # fmt: skip
"""What has become of the first messages of the campaign that is being sent; the others wait."""

_FINDINGS: tuple[Diagnosis, ...] = (
    find_bad(
        "dmarc",
        "dmarc-missing",
        "example.org has no DMARC record.",
        record='_dmarc.example.org. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.org"',
    ),
    find_doubtful("relay", "relay-plain", "the relay is on this machine and offers no encryption."),
    find_good("database", "it is up to date"),
    find_good("spf", "it names the relay"),
    find_good("web", "https://newsletter.example.org answers"),
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The Studio and its people, the numbers of its campaigns, of a partner, and what else addresses need."""

    studio: Studio
    people: Newsroom
    sent: int
    sending: int
    asked: int
    planned: int
    ready: int
    partner: int
    review: str
    message: str


@contextmanager
def open_scene(folder: Path) -> Iterator[Scene]:
    """Play the demo in ``folder``, and serve its Studio."""
    # Playwright has a loop of its own in this thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(run_walkthrough, folder, SilentOutput()).result()
    for number in _PERIODS:
        _add_edition(folder / "editions", number)
    with serve_studio(open_workspace(folder, environ=_ENVIRON)) as studio:
        yield _play(studio, found_newsroom(studio, utc_now()))


def _play(studio: Studio, people: Newsroom) -> Scene:
    now = utc_now()
    with Session(studio.engine) as session:
        lookups = make_lookups(session.connection(), studio.workspace.settings)
        save_segment(session.connection(), "teachers", QUERY, lookups, now=now)
        session.commit()
    keep_diagnosis(studio.workspace, _FINDINGS, now=now)
    asked, review = _ask(studio, people)
    start = (now + timedelta(days=6)).replace(hour=1, minute=0, second=0, microsecond=0)
    planned = _prepare(studio, people, _PLANNED, start_at=start, start_zone="Asia/Shanghai", canary=10)
    ready = _prepare(studio, people, _READY)
    return Scene(
        studio=studio,
        people=people,
        sent=_find_last(studio, EDITION),
        sending=_send_half(studio),
        asked=asked,
        planned=planned.campaign_id,
        ready=ready.campaign_id,
        partner=_find_partner(studio),
        review=review,
        message=_fill_outbox(studio),
    )


def _name(number: str) -> str:
    return EDITION.replace("2021-2", number)


def _add_edition(editions: Path, number: str) -> None:
    folder = editions / _name(number)
    shutil.copytree(editions / EDITION, folder)
    file = folder / "edition.md"
    text = file.read_text(encoding="utf-8").replace("number: 2021-2", f"number: {number}", 1)
    text = text.replace("period: September to December 2021", f"period: {_PERIODS[number]}", 1)
    file.write_text(re.sub(r"(?m)^date: .*$", f"date: {number[:4]}-06-30", text), encoding="utf-8")


def _find_last(studio: Studio, edition: str) -> int:
    newest = select(col(Campaign.id)).where(col(Campaign.edition) == edition)
    newest = newest.where(col(Campaign.state) == CampaignState.finished).order_by(
        col(Campaign.audience).desc()
    )
    with studio.engine.connect() as connection:
        return connection.scalars(newest).first() or 0


def _find_partner(studio: Studio) -> int:
    with Session(studio.engine) as session:
        return find_subscriber(session, _PARTNER).id or 0


def _prepare(studio: Studio, people: Newsroom, number: str, **decided: object) -> Preparation:
    edition = _name(number)
    with Session(studio.engine) as session:
        begun = begin_preparation(
            session, edition, title="UNESCO Beijing Newsletter", member_id=people.ann.id, now=utc_now()
        )
        decisions = Decisions(segment=QUERY, **decided)  # type: ignore[arg-type]
        prepared = save_preparation(session, begun, decisions, member_id=people.ann.id, now=utc_now())
        session.commit()
        return prepared


def _ask(studio: Studio, people: Newsroom) -> tuple[int, str]:
    """Ask an approver and somebody outside; the number of the campaign, and the secret of the link."""
    prepared = _prepare(studio, people, _ASKED)
    plan = plan_prepared_campaign(studio.workspace, studio.engine, prepared, now=utc_now())
    ana = WantedReviewer(name="Ana Diaz", email="ana@ministry.example")
    steps = [
        WantedStep(name="Facts", needs=Needs.all, roles=(Role.approver,), reviewers=(ana,)),
        WantedStep(name="Release", roles=(Role.manager,)),
    ]
    with launch_lock(studio.engine, studio.workspace, plan) as connection:
        asked = ask_for_approval(
            connection,
            studio.workspace,
            plan,
            asker=Person.of_member(people.ann),
            steps=steps,
            note="Is the name of the minister right?",
            campaign_id=prepared.campaign_id,
            now=utc_now(),
        )
        (reviewer,) = list_reviewers(connection, asked.id)
        # No mail is sent here, which would make another link.
        connection.execute(delete(ApprovalMail))
        return prepared.campaign_id, make_link(connection, reviewer.reviewer_id or 0, now=utc_now())


def _send_half(studio: Studio) -> int:
    """Launch a campaign, and send most of it."""
    plan = plan_campaign(
        studio.workspace, studio.engine, _name(_SENDING), parse_segment("all"), now=utc_now()
    )
    number = launch(studio.engine, studio.workspace, plan, now=utc_now() - timedelta(minutes=2))
    own = col(Delivery.campaign_id) == number
    with Session(studio.engine) as session:
        connection = session.connection()
        waiting = list(connection.scalars(select(col(Delivery.id)).where(own).order_by(col(Delivery.id))))
        for count, values in _OUTCOMES:
            chosen, waiting = waiting[:count], waiting[count:]
            known = {**values, "attempts": 1, "updated_at": utc_now()}
            connection.execute(update(Delivery).where(col(Delivery.id).in_(chosen)).values(known))
        # On a machine that has other things to do, the pictures take longer than a sign of life lasts.
        until = utc_now() + timedelta(hours=2)
        for host in ("newsroom-1", "newsroom-2"):
            session.add(Dispatcher(id=f"work-{host}", host=host, started_at=utc_now(), heartbeat_at=until))
        session.commit()
    return number


def _fill_outbox(studio: Studio) -> str:
    plan = plan_campaign(
        studio.workspace, studio.engine, _name(_PLANNED), parse_segment(QUERY), now=utc_now()
    )
    written = write_outbox(studio.workspace, studio.engine, plan, addresses=(), now=utc_now())
    return written[0].name

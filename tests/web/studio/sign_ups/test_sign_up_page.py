"""The page of sign-ups: who waits, and admitting and declining them, by plain requests."""

import re
from urllib.parse import urlencode

import pytest
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.database.team_models import ActivityRecord
from mailer.web.dependencies import utc_now
from mailer.web.studio.sign_ups import PAGE_SIZE
from subscribers.consent.sign_ups import hold_opt_in, request_opt_in
from subscribers.consent.status_changes import unsubscribe
from subscribers.models import Status, Subscriber
from tests.web.site import HttpResponse
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient


class Reviewer:
    """A member who looks at the sign-ups of a Studio."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.client = StudioClient(studio)

    def add(self, address: str) -> int:
        key, now = self.studio.workspace.keys.suppression, utc_now()
        with Session(self.studio.engine) as session:
            asked = request_opt_in(session, address, key=key, method="page", now=now)
            assert asked is not None
            number = asked.id or 0
            hold_opt_in(session, number, key=key, method="page", now=now)
            session.commit()
        return number

    def get(self, path: str = "/sign-ups") -> HttpResponse:
        return self.client.get(path)

    def post(self, act: str, *who: int) -> HttpResponse:
        body = urlencode([("who", str(one)) for one in who]).encode()
        return self.client.send(f"/sign-ups/{act}", body)

    def status(self, number: int) -> Status:
        with Session(self.studio.engine) as session:
            return session.get_one(Subscriber, number).status

    def log(self) -> list[tuple[str, str]]:
        with Session(self.studio.engine) as session:
            return [(one.act, one.subject) for one in session.exec(select(ActivityRecord))]


@pytest.fixture
def reviewer(studio: Studio) -> Reviewer:
    return Reviewer(studio)


def test_the_chosen_are_admitted_once_and_written_down(reviewer: Reviewer) -> None:
    mei, kim, _ = (reviewer.add(f"{name}@example.org") for name in ("mei", "kim", "bo"))
    assert [name in reviewer.get().text for name in ("mei@example.org", "kim@example.org")] == [True, True]
    for _ in range(2):
        assert reviewer.post("admit", mei, kim).status == 303
    assert (reviewer.status(mei), reviewer.status(kim)) == (Status.active, Status.active)
    assert reviewer.log() == [
        (Act.admitted_sign_up, "mei@example.org"),
        (Act.admitted_sign_up, "kim@example.org"),
    ]
    shown = reviewer.get().text
    assert "mei@example.org" not in shown
    assert "bo@example.org" in shown


def test_the_declined_leave_the_list_and_stay_pending(reviewer: Reviewer) -> None:
    mei = reviewer.add("mei@example.org")
    assert reviewer.post("decline", mei).status == 303
    assert reviewer.status(mei) is Status.pending
    assert reviewer.log() == [(Act.declined_sign_up, "mei@example.org")]
    assert "Nobody waits" in reviewer.get().text


def test_who_was_admitted_meanwhile_is_not_said_to_be_declined(reviewer: Reviewer) -> None:
    mei = reviewer.add("mei@example.org")
    assert reviewer.post("admit", mei).headers["location"].endswith("notice=sign-ups-admitted")
    assert reviewer.post("decline", mei).headers["location"].endswith("notice=nothing-changed")
    assert reviewer.status(mei) is Status.active


def test_choosing_nobody_is_refused_with_words(reviewer: Reviewer) -> None:
    reviewer.add("mei@example.org")
    answer = reviewer.post("admit")
    assert answer.status == 422
    assert "Choose at least one person." in answer.text


def test_one_who_has_left_since_is_named_and_keeps_no_other_waiting(reviewer: Reviewer) -> None:
    mei, kim = reviewer.add("mei@example.org"), reviewer.add("kim@example.org")
    with Session(reviewer.studio.engine) as session:
        unsubscribe(session, mei, method="page", now=utc_now())
        session.commit()
    answer = reviewer.post("admit", mei, kim)
    assert answer.status == 422
    assert "mei@example.org was not admitted" in answer.text
    assert (reviewer.status(mei), reviewer.status(kim)) == (Status.unsubscribed, Status.active)


def test_more_than_a_page_is_shown_by_pages(reviewer: Reviewer) -> None:
    for number in range(PAGE_SIZE + 3):
        reviewer.add(f"p{number:02}@example.org")
    first = reviewer.get().text
    later = re.search(r'href="/studio(/sign-ups\?after=[^"]+)"', first)
    assert later is not None
    second = reviewer.get(later[1]).text
    assert [text.count('name="who"') for text in (first, second)] == [PAGE_SIZE, 3]
    assert "Was on the list" not in first

"""A reviewer outside the team: their link shows one campaign, takes one answer, and ends."""

from datetime import timedelta

import pytest
from sqlmodel import Session, update

from mailer.activity.acts import Act
from mailer.database.approval_models import ApprovalReviewer
from mailer.database.models import CampaignState
from mailer.web.dependencies import utc_now
from tests.web.studio.approvals.conftest import Desk, read_words
from tests.web.studio.house import Answer


@pytest.fixture
def link(desk: Desk) -> str:
    """The link of a reviewer who is asked in the first of two steps."""
    desk.ask_in_steps(
        {"reviewers-1": "Ana Diaz <ana@x.example>", "role-2": "manager", "note": "Is your name right?"}
    )
    return desk.make_review_link()


def answer(desk: Desk, link: str, verdict: str = "approved", words: str = "") -> Answer:
    _, seen = desk.read_last_round()
    form = {"seen": seen, "verdict": verdict, "words": words}
    return desk.house.ask("POST", link, form=form)


def test_a_reviewer_reads_exactly_this_and_approves_it(desk: Desk, link: str) -> None:
    with desk.house.unchanged("reading"):
        words = desk.see("", link)
        assert "Is your name right?" in words
        assert "It would go to 2 partners" in words
        assert desk.house.ask("GET", f"{link}/frame/1").status == 200
        assert f'href="/studio{link}#answer"' in desk.house.ask("GET", f"{link}/variants/1").body.decode()
    assert desk.house.ask("GET", f"{link}/frame/9").status == 404
    given = answer(desk, link, words="It is.")
    assert (given.status, given.headers["location"]) == (303, f"/studio{link}")
    after = desk.see("", link)
    assert "Thank you" in after
    assert "Approve this content" not in after
    assert answer(desk, link).status == 303
    assert desk.answer("manager").status == 303
    campaign = desk.read_campaign()
    assert (campaign.state, campaign.approved_by) == (CampaignState.approved, "Ana Diaz, manager X")
    assert desk.list_acts().count(Act.approved_campaign) == 2


def test_it_shows_nothing_else_of_studio(desk: Desk, link: str) -> None:
    page = desk.house.ask("GET", link).body.decode()
    for other in ("/partners", "/campaigns", "/editions", "/team", "/log", "Sign out", "@example"):
        assert other not in page
    assert 'href="/studio/"' not in page, "it would lead to a page that signs in"
    # The people on the list are a number.
    assert "country:MN" not in page


def test_no_page_of_it_is_kept_or_found_by_search_engines(desk: Desk, link: str) -> None:
    headers = desk.house.ask("GET", link).headers
    assert "no-store" in headers["cache-control"]
    assert "noindex" in headers["x-robots-tag"]
    assert headers["referrer-policy"] == "same-origin"


def test_changes_end_the_request_and_the_reviewer_still_sees_their_answer(desk: Desk, link: str) -> None:
    refused = answer(desk, link, "changes_requested")
    assert (refused.status, "Say what has to change." in read_words(refused)) == (422, True)
    answer(desk, link, "changes_requested", "It is Díaz.")
    assert "It is Díaz." in desk.see("", link)
    assert "frame" not in desk.house.ask("GET", link).body.decode()
    assert desk.house.ask("GET", f"{link}/frame/1").status == 404
    words = desk.see("author")
    assert "It is Díaz." in words
    assert "outside the team" in words


def test_a_link_ends_with_the_request(desk: Desk, link: str) -> None:
    desk.house.ask("POST", f"{desk.path}/withdraw", "author", form={"round": "1"})
    with desk.house.unchanged("an ended link"):
        assert desk.house.ask("GET", link).status == 410
        assert answer(desk, link).status == 410
        assert desk.house.ask("GET", f"{link}/variants/1").status == 410


def test_a_link_ends_after_its_time(desk: Desk, link: str) -> None:
    with Session(desk.house.studio.engine) as session:
        session.exec(update(ApprovalReviewer).values(expires_at=utc_now() - timedelta(seconds=1)))
        session.commit()
    assert desk.house.ask("GET", link).status == 410
    assert answer(desk, link).status == 410


def test_what_changed_since_is_not_approved_outside_either(desk: Desk, link: str) -> None:
    desk.rewrite("stories/010-teachers.md", "Sixty teachers", "Seventy teachers")
    refused = answer(desk, link, words="Fine.")
    assert refused.status == 422
    words = read_words(refused)
    assert "this has changed since you were asked" in words
    assert "the text of the story teachers" in words


def test_the_database_has_no_link(desk: Desk, link: str) -> None:
    secret = link.rpartition("/")[2].encode()
    for path in desk.house.studio.workspace.root.glob("mailer.db*"):
        assert secret not in path.read_bytes()


def test_a_network_that_answers_without_end_is_refused(desk: Desk, link: str) -> None:
    statuses = [answer(desk, link, "changes_requested").status for _ in range(101)]
    assert (set(statuses[:100]), statuses[100]) == ({422}, 429)

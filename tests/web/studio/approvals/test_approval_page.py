"""Asking for an approval and answering, as members do it on the page."""

import re

import pytest
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.campaigns.approvals.answers import AnswerFault
from mailer.campaigns.approvals.rounds import list_rounds
from mailer.database.approval_models import ApprovalAnswer, ApprovalMail, ApprovalMailKind, RoundState
from mailer.database.models import CampaignState
from subscribers.models import Subscriber
from tests.factories.small_edition import SLUG, add_people
from tests.web.studio.approvals.conftest import Desk, read_words

BY_ANOTHER = '\n[campaigns]\napproval_by = "another"\n'


def list_states(desk: Desk) -> list[RoundState]:
    with desk.house.studio.engine.connect() as connection:
        return [one.state for one in list_rounds(connection, desk.number)]


def list_mails(desk: Desk) -> list[tuple[ApprovalMailKind, int | None]]:
    with Session(desk.house.studio.engine) as session:
        rows = session.exec(select(ApprovalMail).order_by("id")).all()
        return [(row.kind, row.member_id) for row in rows]


def test_the_whole_way_from_asking_to_approved(desk: Desk) -> None:
    assert "Not asked for yet" in desk.see("author")
    asked = desk.ask_for_approval(note="Please look at the second story.")
    assert (asked.status, asked.headers["location"].partition("?")[0]) == (303, f"/studio{desk.path}")
    words = desk.see("approver")
    assert "Please look at the second story." in words
    assert "Waits for answers" in words
    assert "Go on to the launch" not in words
    assert {one for _, one in list_mails(desk)} >= {desk.find_member("approver"), desk.find_member("manager")}
    assert desk.find_member("author") not in {one for _, one in list_mails(desk)}
    given = desk.answer("approver", words="Well done.")
    assert given.headers["location"].endswith("notice=approval-complete")
    campaign = desk.read_campaign()
    assert (campaign.state, campaign.approved_by) == (CampaignState.approved, "approver X")
    assert "Well done." in desk.see("guest")
    page = desk.house.ask("GET", desk.path, "approver").body.decode()
    assert f'class="button main" href="/studio/campaigns/{desk.number}/launch"' in page
    assert "Go on to the launch" not in desk.see("author"), "an author may not launch"
    assert list_mails(desk) == [(ApprovalMailKind.answered, desk.find_member("author"))]
    assert desk.list_acts() == [Act.asked_for_approval, Act.approved_campaign]


def test_a_second_click_asks_once_and_answers_once(desk: Desk) -> None:
    assert [desk.ask_for_approval().status for _ in range(2)] == [303, 303]
    assert list_states(desk) == [RoundState.open]
    assert [desk.answer("approver").status for _ in range(2)] == [303, 303]
    with Session(desk.house.studio.engine) as session:
        assert len(session.exec(select(ApprovalAnswer)).all()) == 1
    assert desk.list_acts() == [Act.asked_for_approval, Act.approved_campaign]


def test_a_guest_and_an_author_are_not_asked(desk: Desk) -> None:
    desk.ask_for_approval()
    for who in ("guest", "author"):
        assert "Approve this content" not in desk.see(who)
        with desk.house.unchanged(who):
            refused = desk.answer(who)
        assert (refused.status, "You are not asked in this step." in read_words(refused)) == (403, True)


def test_changes_are_asked_for_with_words_and_end_the_request(desk: Desk) -> None:
    desk.ask_for_approval()
    refused = desk.answer("approver", "changes_requested")
    assert refused.status == 422
    assert 'href="#words"' in refused.body.decode()
    assert 'aria-describedby="words-hint words-error" aria-invalid="true"' in refused.body.decode()
    desk.answer("approver", "changes_requested", "The number of teachers is wrong.")
    words = desk.see("author")
    assert "Changes are asked for" in words
    assert "The number of teachers is wrong." in words
    late = desk.answer("manager")
    assert (late.status, "This request has ended" in read_words(late)) == (422, True)
    desk.ask_for_approval(note="Corrected.")
    assert list_states(desk) == [RoundState.open, RoundState.changes_requested]
    assert "The number of teachers is wrong." in desk.see("approver")


def test_what_changed_since_is_named_and_nobody_approves_it(desk: Desk) -> None:
    desk.ask_for_approval()
    desk.rewrite("stories/010-teachers.md", "Sixty teachers", "Seventy teachers")
    words = desk.see("approver")
    assert "nobody can approve it" in words
    assert "the text of the story teachers" in words
    assert "Approve this content" not in words
    with desk.house.unchanged("an answer to what has changed"):
        refused = desk.answer("approver", words="I like it.")
    assert refused.status == 422
    assert "the text of the story teachers" in read_words(refused)
    # Taken back, it is what was asked for.
    desk.rewrite("stories/010-teachers.md", "Seventy teachers", "Sixty teachers")
    assert "Approve this content" in desk.see("approver")
    assert desk.answer("approver").status == 303


def test_another_segment_is_another_request(desk: Desk) -> None:
    desk.ask_for_approval()
    desk.choose_segment("country:MN")
    assert "the segment, which was 'country:MN,CN' and is 'country:MN'" in desk.see("approver")
    assert desk.answer("approver").status == 422
    desk.ask_for_approval()
    assert desk.answer("approver").status == 303
    assert desk.read_campaign().segment == "country:MN"


def test_what_was_approved_and_then_changed_is_void_and_asked_for_again(desk: Desk) -> None:
    desk.ask_for_approval()
    desk.answer("approver")
    desk.rewrite("edition.md", "Thank you for your work.", "Thank you for all your work.")
    words = desk.see("author")
    assert "the approval no longer counts" in words
    assert "the letter or the text around the stories" in words
    assert desk.ask_for_approval().headers["location"].startswith(f"/studio{desk.path}")
    again = desk.see("approver")
    # Word by word, what is different from the last approval.
    page = desk.house.ask("GET", desk.path, "approver").body.decode()
    assert re.search(r"<ins>\s*all\s*</ins>", page)
    assert "Approve this content" in again
    desk.answer("approver")
    assert (desk.read_campaign().state, list_states(desk)) == (
        CampaignState.approved,
        [RoundState.approved, RoundState.approved],
    )


def test_an_answer_to_an_older_request_is_refused(desk: Desk) -> None:
    desk.ask_for_approval()
    seen = re.search(r'name="seen" value="(\w+)"', desk.house.ask("GET", desk.path, "approver").body.decode())
    assert seen is not None
    desk.rewrite("stories/010-teachers.md", "Sixty teachers", "Seventy teachers")
    desk.ask_for_approval()
    with desk.house.unchanged("an answer to the older request"):
        assert desk.answer("approver", number=1, seen=seen).status == 422
        assert desk.answer("approver", number=2, seen=seen).status == 422
    assert desk.answer("approver").status == 303


def test_errors_and_a_missing_segment_refuse_to_ask(desk: Desk) -> None:
    (desk.house.studio.workspace.editions / SLUG / "stories" / "030-broken.md").write_text("---\ntitle:\n")
    refused = desk.ask_for_approval(note="Keep this.")
    assert refused.status == 422
    assert f"{SLUG} has errors" in read_words(refused)
    assert "Keep this." in read_words(refused)
    assert list_states(desk) == []


def test_a_request_is_taken_back(desk: Desk) -> None:
    desk.ask_for_approval()
    done = desk.house.ask("POST", f"{desk.path}/withdraw", "author", form={"round": "1"})
    assert done.headers["location"].endswith("notice=approval-withdrawn")
    assert (list_states(desk), list_mails(desk)) == ([RoundState.withdrawn], [])
    assert "Taken back" in desk.see("approver")
    desk.house.ask("POST", f"{desk.path}/withdraw", "author", form={"round": "1"})
    assert desk.list_acts() == [Act.asked_for_approval, Act.withdrew_request]


def test_what_was_approved_meanwhile_is_not_said_to_be_taken_back(desk: Desk) -> None:
    desk.ask_for_approval()
    desk.answer("approver")
    done = desk.house.ask("POST", f"{desk.path}/withdraw", "author", form={"round": "1"})
    assert done.headers["location"].endswith("notice=campaign-changed")
    assert list_states(desk) == [RoundState.approved]


def test_each_version_says_in_what_it_differs(desk: Desk) -> None:
    with Session(desk.house.studio.engine) as session:
        is_empty = session.exec(select(Subscriber.id)).first() is None
    if is_empty:
        # A test before has put the list back as it was without people.
        add_people(desk.house.studio.engine)
    desk.ask_for_approval()
    assert "What most partners get" not in desk.see("approver"), "everybody gets the same"
    desk.rewrite("edition.md", "personalise: off", "personalise: filter")
    desk.ask_for_approval()
    page = desk.see("approver")
    for line in (
        "What most partners get; the others are compared with it",
        "Also with “A museum opens at night in Beijing”",
    ):
        assert line in page


def test_an_answer_is_commented_on_once(desk: Desk) -> None:
    desk.ask_for_approval()
    desk.answer("approver", words="Which number is right?")
    form = {"round": "1", "answer": "1", "request": "r", "text": "Sixty."}
    for _ in range(2):
        done = desk.house.ask("POST", f"{desk.path}/comments", "guest", form=form)
        assert done.headers["location"].endswith("#answer-1")
    assert desk.see().count("Sixty.") == 1
    for wrong, status in (({"answer": "9"}, 404), ({"text": " "}, 422)):
        refused = desk.house.ask("POST", f"{desk.path}/comments", "guest", form={**form, **wrong})
        assert refused.status == status


def test_each_variant_is_shown_as_it_was_frozen(desk: Desk) -> None:
    desk.ask_for_approval()
    desk.rewrite("stories/010-teachers.md", "Sixty teachers", "Seventy teachers")
    frame = desk.house.ask("GET", f"{desk.path}/1/frame/1", "guest")
    assert "Sixty teachers" in frame.body.decode()
    assert "Seventy" not in frame.body.decode()
    assert "sandbox" in frame.headers["content-security-policy"]
    assert "Version 1 of 1" in desk.see("guest", f"{desk.path}/1/variants/1")
    text = desk.house.ask("GET", f"{desk.path}/1/frame/1?show=text", "guest").body.decode()
    assert "<pre>" in text
    for missing in ("1/frame/2", "1/frame/0", "1/variants/2", "2/frame/1", "1/media/none.jpg", "1/frame/x"):
        assert desk.house.ask("GET", f"{desk.path}/{missing}", "manager").status == 404


def test_another_campaigns_request_is_not_found_here(desk: Desk) -> None:
    desk.ask_for_approval()
    elsewhere = f"/campaigns/{desk.number + 1}/approval"
    assert desk.house.ask("GET", f"{elsewhere}/1/frame/1", "manager").status == 404
    assert desk.house.ask("GET", elsewhere, "manager").status == 404


def test_the_first_page_names_it_for_whom_it_waits(desk: Desk) -> None:
    desk.ask_for_approval()
    assert "Your approval is asked for" in desk.see("approver", "/")
    assert "Waits to be approved" in desk.see("author", "/")
    assert "Partner News" not in desk.see("guest", "/").partition("Editions")[0]
    desk.answer("approver")
    assert "Your approval is asked for" not in desk.see("manager", "/")


def test_changes_that_are_asked_for_wait_for_whoever_asked_until_they_ask_again(desk: Desk) -> None:
    desk.ask_for_approval("author")
    desk.answer("approver", "changes_requested", "The number of teachers is wrong.")
    own, of_others = desk.see("author", "/"), desk.see("manager", "/")
    assert "Changes are asked for" in own
    assert "asked for by approver X" in own
    assert "Waits for author X" not in own
    assert "Waits for author X" in of_others
    assert "Changes are asked for" not in desk.see("guest", "/")
    desk.ask_for_approval("author")
    assert "Changes are asked for" not in desk.see("author", "/")


@pytest.mark.parametrize("fault", AnswerFault)
def test_every_fault_has_words(fault: AnswerFault) -> None:
    assert fault.words


def test_every_state_and_act_has_words() -> None:
    assert all(state.words for state in RoundState)
    assert Act.asked_for_approval.words

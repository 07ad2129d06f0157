"""Choosing who approves one campaign: members, roles, people outside, one step after the other."""

import re

import pytest

from mailer.activity.acts import Act
from mailer.campaigns.approvals.rounds import find_last_round
from mailer.campaigns.approvals.steps import Needs
from mailer.settings.campaigns import CampaignSettings
from mailer.web.studio.page import StudioPage
from tests.factories.campaigns import with_settings
from tests.web.studio.approvals.conftest import Desk, read_words


def test_steps_are_chosen_and_answered_in_their_order(desk: Desk) -> None:
    guest = str(desk.find_member("guest"))
    asked = desk.ask_in_steps(
        {"name-1": "Facts", "member-1": guest, "needs-1": "all", "role-2": "manager", "note": "Look."}
    )
    assert asked.headers["location"].endswith("notice=approval-asked")
    words = desk.see("author")
    assert "Facts · guest X" in words
    assert "Approve this content" not in desk.see("manager")
    assert desk.answer("manager").status == 403
    # A guest who is asked by name answers, whatever else their role allows.
    given = desk.answer("guest", words="The facts are right.")
    assert given.headers["location"].endswith("notice=approval-given")
    assert desk.answer("manager").headers["location"].endswith("notice=approval-complete")
    assert desk.read_campaign().approved_by == "guest X, manager X"


def test_the_step_that_waits_says_for_whom_and_since_when(desk: Desk) -> None:
    guest = str(desk.find_member("guest"))
    desk.ask_in_steps({"member-1": guest, "role-2": "manager"})
    words = desk.see("author")
    assert re.search(r"Waiting for guest X since \d.* Waits for answers .* manager Afterwards", words)
    words = desk.see("guest")
    assert re.search(r"Waiting for guest X since \d.* Your turn .* manager Afterwards", words)
    desk.answer("guest")
    assert re.search(r"Fulfilled .* Waiting for Stale, manager X since \d.* Your turn", desk.see("manager"))
    desk.answer("manager")
    assert "Waiting for" not in desk.see("manager")


def test_steps_are_changed_while_answers_are_waited_for(desk: Desk) -> None:
    members = {who: str(desk.find_member(who)) for who in ("guest", "author")}
    desk.ask_in_steps({"member-1": members["guest"], "role-2": "approver"}, "approver")
    desk.answer("guest")
    changed = desk.ask_in_steps({"member-1": members["guest"], "member-2": members["author"]}, "approver")
    assert changed.headers["location"].endswith("notice=approval-steps-changed")
    # The guest's answer stays, and the author is asked now.
    assert desk.answer("approver").status == 403
    assert desk.answer("author").headers["location"].endswith("notice=approval-complete")
    assert Act.changed_approval_steps in desk.list_acts()


def test_steps_that_would_approve_it_at_once_are_refused(desk: Desk) -> None:
    guest = str(desk.find_member("guest"))
    desk.ask_in_steps({"member-1": guest, "role-2": "approver"})
    desk.answer("guest")
    with desk.house.unchanged("steps without anybody to wait for"):
        refused = desk.ask_in_steps({"member-1": guest})
    assert (refused.status, "approved at once" in read_words(refused)) == (422, True)


def test_chosen_steps_stay_when_it_is_asked_for_again(desk: Desk) -> None:
    desk.ask_in_steps({"name-1": "Facts", "role-1": "manager", "needs-1": "all"})
    desk.answer("manager", "changes_requested", "Shorter, please.")
    desk.ask_for_approval()
    with desk.house.studio.engine.connect() as connection:
        asked = find_last_round(connection, desk.number)
    assert asked is not None
    assert [(one.name, one.needs) for one in asked.steps] == [("Facts", Needs.all)]


def test_a_form_that_asks_nobody_or_names_no_address_keeps_what_was_typed(desk: Desk) -> None:
    nobody = desk.ask_in_steps({"name-1": "Facts", "note": "Keep this."})
    assert (nobody.status, "Keep this." in read_words(nobody)) == (422, True)
    typed = desk.ask_in_steps({"reviewers-1": "Ana Diaz"})
    assert typed.status == 422
    assert "“Ana Diaz” has no address" in read_words(typed)
    assert 'href="#reviewers-1"' in typed.body.decode()
    with desk.house.studio.engine.connect() as connection:
        assert find_last_round(connection, desk.number) is None


def test_authors_ask_and_do_not_choose_who_approves(desk: Desk) -> None:
    assert "Choose who is asked" not in desk.see("author")
    assert desk.house.ask("GET", f"{desk.path}/steps", "author").status == 403
    assert "Step 5" in desk.see("approver", f"{desk.path}/steps")


def test_who_asked_chooses_no_steps_where_another_person_approves(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = CampaignSettings.model_validate({"approval_by": "another"})
    settings = with_settings(desk.house.studio.workspace, campaigns=another).settings
    monkeypatch.setattr(StudioPage, "settings", settings)
    own = {"reviewers-1": "Second Address <second@x.example>"}
    # Neither when asking, nor afterwards.
    assert desk.ask_in_steps(own, "approver").status == 422
    desk.ask_for_approval("approver")
    assert "Choose who is asked" not in desk.see("approver")
    refused = desk.ask_in_steps(own, "approver")
    assert (refused.status, "another person has to approve it" in read_words(refused)) == (422, True)
    assert desk.ask_in_steps({"role-1": "manager"}, "manager").status == 303

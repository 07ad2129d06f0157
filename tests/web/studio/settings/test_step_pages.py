"""The steps of an approval as pages: added, filled in, put in order and taken out."""

from tests.conftest import SETTINGS
from tests.web.studio.settings.conftest import Desk

PATH = "/settings/approval-steps"
TWO = f"""{SETTINGS}
[[campaigns.approval_steps]]
name = "Facts"  # first of all
roles = ["author"]

[[campaigns.approval_steps]]
name = "The ministry"
reviewers = ["Ana Diaz <ana@ministry.example>"]
"""


def test_a_step_is_added_and_filled_in(desk: Desk) -> None:
    assert b"There are no steps" in desk.get(PATH).body
    answer = desk.post(PATH, [("name", " The  facts ")])
    assert answer.headers["location"] == f"/studio{PATH}/1?notice=settings-saved"
    assert (
        desk.text == f'{SETTINGS}\n[[campaigns.approval_steps]]\nname = "The facts"\nroles = ["approver"]\n'
    )
    start = "campaigns.approval_steps.0"
    desk.fill(
        f"{PATH}/1", {f"{start}.members": "ann@example.org\r\nben@example.org", f"{start}.needs": "all"}
    )
    (step,) = desk.settings.campaigns.approval_steps
    assert (step.members, step.needs) == (("ann@example.org", "ben@example.org"), "all")
    refused = desk.fill(f"{PATH}/1", {f"{start}.reviewers": "Ana"})
    assert (refused.status, b"has no address" in refused.body) == (422, True)


def test_steps_change_places_and_go(desk: Desk) -> None:
    desk.write(TWO)
    page = desk.get(PATH).body.decode()
    assert page.index("Facts") < page.index("The ministry")
    desk.post(f"{PATH}/2/move", [("to", "up")])
    first, second = desk.settings.campaigns.approval_steps
    assert (first.name, first.reviewers) == ("The ministry", ("Ana Diaz <ana@ministry.example>",))
    assert (second.name, second.roles, second.reviewers) == ("Facts", ("author",), ())
    desk.post(f"{PATH}/2/move", [("to", "down")])
    desk.post(f"{PATH}/1/remove")
    assert [one.name for one in desk.settings.campaigns.approval_steps] == ["Facts"]
    assert desk.post(f"{PATH}/2/remove").status == 404
    desk.post(f"{PATH}/1/remove")
    assert desk.settings.campaigns.approval_steps == ()


def test_there_are_only_so_many(desk: Desk) -> None:
    for _ in range(5):
        assert desk.post(PATH).status == 303
    assert desk.post(PATH).status == 422
    assert len(desk.settings.campaigns.approval_steps) == 5

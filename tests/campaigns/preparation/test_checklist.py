"""How far a prepared campaign is, and what comes next."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.campaigns.preparation.checklist import (
    ApprovalStatus,
    ChecklistItem,
    ItemStatus,
    LastTest,
    make_checklist,
)

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
READY: Mapping[str, Any] = {
    "errors": 0,
    "segment": "all",
    "audience": 4,
    "versions": 2,
    "seen": 2,
    "test": LastTest.current,
    "start_at": None,
    "approval": ApprovalStatus.unneeded,
}


def test_a_campaign_on_which_all_is_done_can_be_launched() -> None:
    ready = make_checklist(NOW, **READY)
    assert (ready.next_item, ready.may_ask, ready.may_launch) == (None, True, True)
    assert set(ready.statuses) == set(ChecklistItem)
    assert all(ready.is_done(item) for item in ChecklistItem)


@pytest.mark.parametrize(
    ("changes", "item", "status"),
    [
        ({"errors": 2}, ChecklistItem.edition, ItemStatus.blocked),
        ({"segment": ""}, ChecklistItem.segment, ItemStatus.to_do),
        ({"segment_fault": "no such sector"}, ChecklistItem.segment, ItemStatus.blocked),
        ({"audience": 0}, ChecklistItem.audience, ItemStatus.blocked),
        ({"seen": 1}, ChecklistItem.versions, ItemStatus.to_do),
        ({"test": LastTest.none}, ChecklistItem.tests, ItemStatus.to_do),
        ({"test": LastTest.outdated}, ChecklistItem.tests, ItemStatus.to_do),
        ({"start_at": NOW}, ChecklistItem.start, ItemStatus.blocked),
        ({"approval": ApprovalStatus.missing}, ChecklistItem.approval, ItemStatus.to_do),
        ({"approval": ApprovalStatus.void}, ChecklistItem.approval, ItemStatus.to_do),
        ({"approval": ApprovalStatus.asked}, ChecklistItem.approval, ItemStatus.to_do),
        ({"approval": ApprovalStatus.refused}, ChecklistItem.approval, ItemStatus.to_do),
    ],
)
def test_one_fact_alone_makes_its_item_the_next(
    changes: dict[str, Any], item: ChecklistItem, status: ItemStatus
) -> None:
    found = make_checklist(NOW, **{**READY, **changes})
    assert (found.statuses[item], found.next_item) == (status, item)
    blocks = status is ItemStatus.blocked or item in {ChecklistItem.segment, ChecklistItem.approval}
    assert found.may_launch is not blocks


def test_a_start_in_the_future_is_in_nobodys_way() -> None:
    assert make_checklist(NOW, **{**READY, "start_at": NOW + timedelta(seconds=1)}).may_launch


def test_a_test_is_in_the_way_only_where_the_settings_ask_for_one() -> None:
    untested = {**READY, "test": LastTest.none}
    assert make_checklist(NOW, **untested).may_launch
    required = make_checklist(NOW, **untested, requires_test=True)
    assert (required.may_ask, required.may_launch) == (False, False)


def test_who_gets_it_comes_before_problems_and_problems_before_all_else() -> None:
    nothing = {"segment": "", "audience": None, "versions": None, "seen": 0, "test": LastTest.none}
    new = {**READY, "errors": 3, **nothing}
    assert make_checklist(NOW, **new).next_item is ChecklistItem.segment
    assert make_checklist(NOW, **{**new, "segment": "all"}).next_item is ChecklistItem.edition


def test_what_is_not_known_yet_waits_and_lets_nothing_be_launched() -> None:
    unknown = dict.fromkeys(("errors", "audience", "versions", "test", "approval"))
    found = make_checklist(NOW, **{**READY, **unknown})
    for item in ("edition", "audience", "versions", "tests", "approval"):
        assert found.statuses[ChecklistItem(item)] is ItemStatus.waiting
    assert (found.next_item, found.may_ask, found.may_launch) == (None, False, False)


_FACTS = st.fixed_dictionaries(
    {
        "errors": st.sampled_from([None, 0, 2]),
        "segment": st.sampled_from(["", "all"]),
        "segment_fault": st.sampled_from(["", "no such sector"]),
        "audience": st.sampled_from([None, 0, 9]),
        "versions": st.sampled_from([None, 0, 3]),
        "seen": st.integers(0, 3),
        "test": st.sampled_from([None, *LastTest]),
        "start_at": st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
        "approval": st.sampled_from([None, *ApprovalStatus]),
        "requires_test": st.booleans(),
    }
)


@given(_FACTS)
def test_nothing_blocked_or_unknown_is_ever_offered_for_launch(facts: dict[str, Any]) -> None:
    found = make_checklist(NOW, **facts)
    if found.may_launch:
        assert (facts["errors"], facts["segment_fault"]) == (0, "")
        assert facts["segment"]
        assert facts["audience"]
        assert facts["approval"] in {ApprovalStatus.unneeded, ApprovalStatus.given}
        assert facts["start_at"] is None or facts["start_at"] > NOW
        assert facts["test"] is LastTest.current or not facts["requires_test"]
    assert found.may_ask or not found.may_launch
    if found.next_item is None:
        assert not {ItemStatus.to_do, ItemStatus.blocked} & set(found.statuses.values())

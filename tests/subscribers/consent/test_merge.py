"""Two subscribers who are one person: what stays, and whose word counts, on both databases."""

import contextlib
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, select

from subscribers.consent.merge import (
    MergeDetail,
    MergePlan,
    merge_subscribers,
    plan_merge,
    read_merge_details,
)
from subscribers.consent.sign_ups import confirm_opt_in, request_opt_in
from subscribers.consent.status_changes import change_status, erase, resubscribe, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey, is_suppressed
from subscribers.consent.team_changes import (
    DetailChanges,
    add_subscriber,
    edit_subscriber,
    pause_subscriber,
    unsubscribe_address,
)
from subscribers.errors import MergeError, OnListError, StatusError, UnknownSubscriberError
from subscribers.imports.importer import import_file
from subscribers.models import ConsentEvent, ConsentRecord, MergedSubscriber, Status, Subscriber
from subscribers.queries import find_kept_subscriber, find_subscriber, read_subscriber_details

KEY = SuppressionKey(b"k" * 32)
SECTORS = ("education", "culture")
KEPT, OTHER, THIRD = "mei@example.org", "m.lin@example.com", "lin@example.net"


def add(session: Session, address: str, now: datetime, **changes: object) -> Subscriber:
    details = DetailChanges(**changes)  # type: ignore[arg-type]
    return add_subscriber(
        session, address, details, sectors=SECTORS, key=KEY, method="import", source="a list", now=now
    )


def merge(session: Session, now: datetime, keep: str = KEPT, other: str = OTHER, **more: object) -> MergePlan:
    words = {"method": "studio", "source": "by Ann", "evidence": "said so by telephone"}
    return merge_subscribers(session, keep, other, key=KEY, now=now, **words, **more)  # type: ignore[arg-type]


def leave(session: Session, address: str, now: datetime) -> None:
    unsubscribe_address(session, address, method="page", now=now)


def block(session: Session, address: str, now: datetime, reason: ConsentEvent) -> None:
    suppress(session, address, key=KEY, reason=reason, method="command line", now=now)


def know(session: Session, address: str = KEPT) -> dict[str, object]:
    return read_subscriber_details(session, address)


def read_status(session: Session, address: str = KEPT) -> str:
    return find_subscriber(session, address).status.value


def test_the_one_who_is_kept_keeps_their_details_and_gets_what_they_lack(
    session: Session, now: datetime
) -> None:
    add(session, KEPT, now, name="Mei Lin", sectors=["education"], tags=["press"])
    add(
        session,
        OTHER,
        now - timedelta(days=9),
        name="M. Lin",
        country="MN",
        sectors=["culture"],
        tags=["vip"],
    )
    plan = merge(session, now)
    assert plan.taken == {MergeDetail.country}
    known = know(session)
    assert (known["name"], known["country"], known["sectors"]) == ("Mei Lin", "MN", ["education"])
    assert known["tags"] == ["press", "vip"]
    assert str(known["created_at"]).startswith("2026-02-20")
    gone = know(session, OTHER)
    assert (gone["status"], gone["merged_into"], gone["name"], gone["tags"]) == ("merged", KEPT, "", [])


def test_what_is_asked_for_is_taken_instead(session: Session, now: datetime) -> None:
    add(session, KEPT, now, name="Mei Lin", country="CN", sectors=["education"])
    add(session, OTHER, now, name="M. Lin", country="MN", sectors=["culture"])
    merge(session, now, take=read_merge_details("Name; choices"))
    known = know(session)
    assert (known["name"], known["country"], known["sectors"]) == ("M. Lin", "CN", ["culture"])


def test_a_plan_says_what_is_done_and_writes_nothing(session: Session, now: datetime) -> None:
    add(session, KEPT, now, name="Mei Lin")
    add(session, OTHER, now, country="MN")
    session.commit()
    plan = plan_merge(session, KEPT, OTHER, key=KEY)
    assert not session.dirty
    assert not session.new
    assert merge(session, now, digest=plan.digest) == plan
    assert know(session)["country"] == plan.result.country == "MN"


def test_a_plan_that_is_out_of_date_is_refused(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    plan = plan_merge(session, KEPT, OTHER, key=KEY)
    leave(session, OTHER, now)
    with pytest.raises(MergeError, match="has changed in the meantime"):
        merge(session, now, digest=plan.digest)


def test_both_records_stay_and_say_that_they_are_one_person(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    merge(session, now)
    told = {
        address: [record["event"] for record in know(session, address)["consent"]]
        for address in (KEPT, OTHER)
    }  # type: ignore[attr-defined, index]
    assert told == {KEPT: ["imported", "merged"], OTHER: ["imported", "merged"]}
    record = know(session)["consent"][-1]  # type: ignore[index]
    assert (record["source"], record["evidence"]) == ("by Ann", f"merged with {OTHER}; said so by telephone")


@pytest.mark.parametrize("of_whom", [KEPT, OTHER])
@pytest.mark.parametrize(
    ("reason", "status"),
    [(ConsentEvent.complained, Status.complained), (ConsentEvent.suppressed, Status.unsubscribed)],
)
def test_whoever_is_blocked_with_either_address_is_blocked_with_both(
    session: Session, now: datetime, of_whom: str, reason: ConsentEvent, status: Status
) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    block(session, of_whom, now, reason)
    merge(session, now)
    assert read_status(session) == status
    assert is_suppressed(session, KEY, KEPT)
    assert is_suppressed(session, KEY, OTHER)


@pytest.mark.parametrize("of_whom", [KEPT, OTHER])
def test_whoever_left_with_either_address_has_left(session: Session, now: datetime, of_whom: str) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    leave(session, of_whom, now)
    merge(session, now)
    assert read_status(session) == Status.unsubscribed


def test_the_longer_pause_counts(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    pause_subscriber(session, KEPT, date(2026, 5, 1), method="page", now=now)
    pause_subscriber(session, OTHER, date(2026, 6, 1), method="page", now=now)
    merge(session, now)
    assert (know(session)["status"], know(session)["paused_until"]) == ("paused", "2026-06-01")


def test_that_an_address_is_dead_says_nothing_of_the_other(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    block(session, OTHER, now, ConsentEvent.bounced)
    merge(session, now)
    assert read_status(session) == Status.active
    assert not is_suppressed(session, KEY, KEPT)


def test_a_dead_address_of_somebody_who_left_is_one_that_they_left(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    block(session, KEPT, now, ConsentEvent.bounced)
    leave(session, OTHER, now)
    merge(session, now)
    assert read_status(session) == Status.unsubscribed


_FATES = ("active", "paused", "left", "complained", "blocked", "dead", "pending")


def suffer(session: Session, address: str, fate: str, now: datetime) -> None:
    match fate:
        case "paused":
            pause_subscriber(session, address, date(2026, 5, 1), method="page", now=now)
        case "left":
            leave(session, address, now)
        case "complained":
            block(session, address, now, ConsentEvent.complained)
        case "blocked":
            block(session, address, now, ConsentEvent.suppressed)
        case "dead":
            block(session, address, now, ConsentEvent.bounced)
        case "pending":
            person = find_subscriber(session, address)
            change_status(
                session, person, Status.pending, event=ConsentEvent.subscribed, method="page", now=now
            )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(_FATES), max_size=3), st.lists(st.sampled_from(_FATES), max_size=3))
def test_nobody_gets_mail_again_because_of_a_merge(
    sqlite_engine: Engine, kept_fates: list[str], other_fates: list[str]
) -> None:
    now = datetime.fromisoformat("2026-03-01T09:00:00+00:00")
    with Session(sqlite_engine) as session:
        for address, fates in ((KEPT, kept_fates), (OTHER, other_fates)):
            add(session, address, now)
            for fate in fates:
                # Whoever is gone cannot pause, and that is no matter here.
                with contextlib.suppress(StatusError):
                    suffer(session, address, fate, now)
        before = {address: find_subscriber(session, address).status for address in (KEPT, OTHER)}
        try:
            plan = merge(session, now)
        except MergeError:
            assert before[KEPT] is Status.pending
            return
        after = find_subscriber(session, KEPT)
        assert (after.status, after.paused_until) == (plan.result.status, plan.result.paused_until)
        if after.status is Status.active:
            assert before[KEPT] is Status.active
            assert before[OTHER] not in {Status.unsubscribed, Status.complained, Status.paused}
        assert before[KEPT] is not Status.complained or after.status is Status.complained


@pytest.mark.parametrize("address", [KEPT, OTHER])
def test_a_link_in_mail_to_either_address_unsubscribes_the_one_who_is_left(
    session: Session, now: datetime, address: str
) -> None:
    numbers = {one: add(session, one, now).id or 0 for one in (KEPT, OTHER)}
    merge(session, now)
    assert unsubscribe(session, numbers[address], method="one-click", now=now)
    assert read_status(session) == Status.unsubscribed
    assert read_status(session, OTHER) == Status.merged
    assert resubscribe(session, numbers[address], key=KEY, method="page", now=now)
    assert read_status(session) == Status.active


def test_an_import_brings_nobody_back_under_the_other_address(
    engine: Engine, tmp_path: Path, now: datetime
) -> None:
    path = tmp_path / "partners.csv"
    path.write_text(f"email,name\n{OTHER},M. Lin\n", encoding="utf-8")
    with Session(engine) as session:
        add(session, KEPT, now)
        add(session, OTHER, now)
        leave(session, OTHER, now)
        merge(session, now)
        session.commit()
        report = import_file(session, path, sectors=dict.fromkeys(SECTORS, ""), key=KEY, now=now)
        assert (report.added, report.suppressed) == (0, 1)
        assert (read_status(session), read_status(session, OTHER)) == ("unsubscribed", "merged")
        assert know(session, OTHER)["name"] == ""


def test_the_team_can_use_either_address_and_adds_neither_again(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    merge(session, now)
    changes = DetailChanges(name="Mei Lin")
    edit_subscriber(session, OTHER, changes, sectors=SECTORS, method="studio", now=now)
    assert know(session)["name"] == "Mei Lin"
    with pytest.raises(OnListError, match="To see with whom"):
        add(session, OTHER, now)
    block(session, OTHER, now, ConsentEvent.complained)
    assert read_status(session) == Status.complained


def test_a_bounce_of_the_other_address_concerns_nobody(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    merge(session, now)
    block(session, OTHER, now, ConsentEvent.bounced)
    assert (read_status(session), read_status(session, OTHER)) == ("active", "merged")


def test_whoever_signs_up_with_the_other_address_is_somebody_of_their_own_again(
    session: Session, now: datetime
) -> None:
    add(session, KEPT, now)
    number = add(session, OTHER, now).id or 0
    merge(session, now)
    request_opt_in(session, OTHER, key=KEY, method="page", now=now)
    assert read_status(session, OTHER) == Status.merged
    confirm_opt_in(session, number, key=KEY, method="page", now=now)
    assert (read_status(session, OTHER), read_status(session)) == ("active", "active")
    assert session.exec(select(MergedSubscriber)).all() == []
    unsubscribe(session, number, method="one-click", now=now)
    assert (read_status(session, OTHER), read_status(session)) == ("unsubscribed", "active")


def test_whoever_stood_for_others_hands_them_on(session: Session, now: datetime) -> None:
    first = add(session, OTHER, now)
    add(session, THIRD, now)
    add(session, KEPT, now)
    merge(session, now, keep=THIRD, other=OTHER)
    merge(session, now, keep=KEPT, other=THIRD)
    assert find_kept_subscriber(session, first).email == KEPT


def test_two_who_cannot_be_merged_are_refused_with_the_reason(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    with pytest.raises(MergeError, match="one subscriber already"):
        merge(session, now, other=" MEI@example.org ")
    with pytest.raises(UnknownSubscriberError):
        merge(session, now, other=THIRD)
    request_opt_in(session, THIRD, key=KEY, method="page", now=now)
    with pytest.raises(MergeError, match=r"Keep m\.lin@example\.com instead"):
        merge(session, now, keep=THIRD)
    merge(session, now)
    for keep, other in ((KEPT, OTHER), (OTHER, KEPT)):
        with pytest.raises(MergeError, match="was merged before"):
            merge(session, now, keep=keep, other=other)
    with pytest.raises(MergeError, match=r"cannot be taken\. Choose from: name"):
        read_merge_details("name, shoes")


def test_erasing_a_merged_row_ends_the_tie(session: Session, now: datetime) -> None:
    add(session, KEPT, now)
    add(session, OTHER, now)
    merge(session, now)
    erase(session, OTHER, key=KEY, method="page", now=now)
    assert session.exec(select(MergedSubscriber)).all() == []
    events = session.exec(select(ConsentRecord.event).where(ConsentRecord.evidence != "")).all()
    assert events == [ConsentEvent.merged]

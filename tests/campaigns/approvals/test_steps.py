"""The steps of an approval: whom they ask, how many of them, and in which order."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mailer.campaigns.approvals.steps import (
    ApprovalStep,
    Needs,
    Party,
    PartyKind,
    Person,
    RoundAnswer,
    dump_steps,
    evaluate_steps,
    find_current_step,
    load_steps,
)
from mailer.database.approval_models import ApprovalVerdict
from mailer.database.team_models import Role

APPROVES = ApprovalVerdict.approved
MEI = Person(key="member:1", name="Mei", member_id=1, role=Role.author)
BAT = Person(key="member:2", name="Bat", member_id=2, role=Role.manager)
ANA = Person(key="reviewer:1", name="Ana", reviewer_id=1)
AT = datetime(2026, 3, 1, tzinfo=UTC)
NAMED = Person(key="name:director", name="Director")


def ask_member(person: Person) -> Party:
    return Party(kind=PartyKind.member, number=person.member_id, name=person.name)


def answer(*people: Person, verdict: ApprovalVerdict = APPROVES) -> list[RoundAnswer]:
    return [RoundAnswer(id=0, person=person, verdict=verdict, words="", at=AT) for person in people]


parties = st.builds(
    Party,
    kind=st.sampled_from(PartyKind),
    number=st.none() | st.integers(1, 3),
    role=st.none() | st.sampled_from(Role),
    name=st.text(max_size=10),
)
steps = st.lists(
    st.builds(
        ApprovalStep,
        name=st.text(max_size=10),
        needs=st.sampled_from(Needs),
        parties=st.lists(parties, min_size=1, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=5,
).map(tuple)
people = st.lists(st.sampled_from([MEI, BAT, ANA, NAMED]), unique=True)


@given(steps)
def test_steps_are_read_as_they_were_written(wanted: tuple[ApprovalStep, ...]) -> None:
    assert load_steps(dump_steps(wanted)) == wanted


@given(steps, people)
def test_one_more_approval_never_takes_a_step_back(
    wanted: tuple[ApprovalStep, ...], approvers: list[Person]
) -> None:
    for number in range(len(approvers)):
        fewer = evaluate_steps(wanted, answer(*approvers[:number]))
        more = evaluate_steps(wanted, answer(*approvers[: number + 1]))
        for before, after in zip(fewer, more, strict=True):
            assert after.is_fulfilled or not before.is_fulfilled
            assert set(before.approved) <= set(after.approved)


@given(steps, people)
def test_whoever_asks_for_changes_fulfils_nothing(
    wanted: tuple[ApprovalStep, ...], others: list[Person]
) -> None:
    refused = answer(*others, verdict=ApprovalVerdict.changes_requested)
    assert not any(one.is_fulfilled for one in evaluate_steps(wanted, refused))


def test_any_of_them_is_enough_and_all_are_all() -> None:
    both = (ask_member(MEI), ask_member(BAT))
    either = evaluate_steps([ApprovalStep(parties=both)], answer(BAT))
    assert either[0].is_fulfilled
    each = evaluate_steps([ApprovalStep(parties=both, needs=Needs.all)], answer(BAT))
    assert (each[0].is_fulfilled, each[0].waiting) == (False, (ask_member(MEI),))
    assert evaluate_steps([ApprovalStep(parties=both, needs=Needs.all)], answer(BAT, MEI))[0].is_fulfilled


def test_steps_go_in_their_order() -> None:
    wanted = [ApprovalStep(parties=(ask_member(MEI),)), ApprovalStep(parties=(ask_member(BAT),))]
    first = find_current_step(evaluate_steps(wanted, answer(BAT)))
    assert first is not None
    assert first.number == 1
    assert find_current_step(evaluate_steps(wanted, answer(BAT, MEI))) is None


def test_a_role_is_answered_for_by_a_higher_one_and_by_nobody_outside() -> None:
    approver = Party(kind=PartyKind.role, role=Role.approver)
    assert [approver.admits(one) for one in (MEI, BAT, ANA, NAMED)] == [False, True, False, False]


def test_anybody_means_those_who_may_approve() -> None:
    anybody = Party(kind=PartyKind.anybody)
    assert [anybody.admits(one) for one in (MEI, BAT, ANA, NAMED)] == [False, True, False, True]


def test_an_outside_reviewer_answers_only_for_themself() -> None:
    ana = Party(kind=PartyKind.reviewer, number=1, name="Ana")
    assert [ana.admits(one) for one in (MEI, BAT, ANA, NAMED)] == [False, False, True, False]
    assert not Party(kind=PartyKind.reviewer).admits(NAMED)
    assert not Party(kind=PartyKind.member).admits(ANA)

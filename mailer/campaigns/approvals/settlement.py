"""An answer with all that follows from it: the next step is told, or the campaign approved."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Engine

from mailer.campaigns.approvals.answers import list_asked, queue_asked, queue_outcome, record_answer
from mailer.campaigns.approvals.approval import Approval, ApprovalRefusedError, find_approval
from mailer.campaigns.approvals.people import choose_steps, list_colleagues, list_reviewers
from mailer.campaigns.approvals.request import (
    asks_for,
    find_or_write_campaign,
    open_round,
    refuse_unscheduled,
    restore_plan,
    store_approval,
)
from mailer.campaigns.approvals.rounds import Round, end_round, find_open_round, find_round
from mailer.campaigns.approvals.steps import PartyKind, Person, fold_name, is_named
from mailer.campaigns.launch_faults import find_plan_faults, find_unfinished_campaign, refuse
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.plan import Plan
from mailer.database.approval_models import ApprovalVerdict, RoundState
from mailer.database.models import CampaignState
from mailer.workspace import Workspace

_MAX_NAME_LENGTH = 200


def settle_answer(
    connection: Connection,
    workspace: Workspace,
    round_id: int,
    person: Person,
    verdict: ApprovalVerdict,
    *,
    seen: str,
    words: str = "",
    changes: Iterable[str] = (),
    now: datetime,
) -> tuple[Round, bool]:
    """Write down an answer; return the round after it, and False if the same answer was there before.

    If it is the last one that was waited for, the campaign is approved, with the content that was asked for;
    otherwise those who are asked next are told. The caller holds the edition's launch lock, commits, and then
    wakes the worker that mails. Raise AnswerRefusedError as :func:`record_answer` does; ApprovalRefusedError,
    LaunchRefusedError, CompiledVersionError or SegmentError if what was asked for cannot be approved now.
    """
    settings = workspace.settings
    before = find_round(connection, round_id)
    told = list_asked(connection, settings, before) if before is not None else ()
    after = record_answer(
        connection, settings, round_id, person, verdict, seen=seen, words=words, changes=changes, now=now
    )
    is_new = before is not None and before.find_answer(person) is None
    if not is_new:
        return after, False
    if after.is_open and after.current_step is None:
        plan = restore_plan(connection, workspace, after)
        refuse(find_plan_faults(settings, plan))
        store_approval(connection, plan, after, now=now)
        after = find_round(connection, round_id) or after
    if after.is_open:
        queue_asked(connection, settings, after, told=told, now=now)
    else:
        queue_outcome(connection, after, by=person, now=now)
    return after, True


def approve(engine: Engine, workspace: Workspace, plan: Plan, *, by: str, now: datetime) -> Approval:
    """Record that ``by`` approves exactly this plan, and freeze its content. Launching the plan finds it,
    once every step is fulfilled; until then, the approval says who is ``missing``.

    ``by`` is the name or the address of somebody whom the current step asks; where no steps are set, anybody.
    A campaign that is already scheduled is approved as it is. If another person approves the same plan, their
    name replaces the first. Raise ApprovalRefusedError if ``by`` may not approve it or it is being sent,
    ConfigurationError if a step of the settings names a member the team does not have, and
    LaunchRefusedError if the plan cannot be launched.
    """
    name = _read_name(by)
    with launch_lock(engine, workspace, plan) as connection:
        unfinished = find_unfinished_campaign(connection, plan)
        if unfinished is not None:
            refuse_unscheduled(unfinished, plan)
        waiting = CampaignState.approved if unfinished is None else CampaignState.scheduled
        before = find_approval(connection, workspace, plan, states=(waiting,))
        if before is not None and before.holds and any(is_named(one, [name]) for one in before.people):
            return before
        if before is not None and before.holds and choose_steps(connection, workspace.settings, plan):
            return before
        asked = _find_or_open_round(connection, workspace, plan, now)
        person = _find_person(connection, asked, name)
        after = record_answer(
            connection,
            workspace.settings,
            asked.id,
            person,
            ApprovalVerdict.approved,
            seen=plan.digest,
            now=now,
        )
        settings = workspace.settings
        if after.current_step is None:
            approval = store_approval(connection, plan, after, now=now)
            queue_outcome(connection, find_round(connection, after.id) or after, by=person, now=now)
            return approval
        queue_asked(connection, settings, after, told=list_asked(connection, settings, asked), now=now)
        return Approval(
            campaign_id=after.campaign_id,
            by=", ".join(after.approver_names),
            at=now,
            people=after.approver_names,
            missing=after.describe_missing(),
        )


def _read_name(by: str) -> str:
    name = " ".join(by.split())
    if not name.isprintable() or not 0 < len(name) <= _MAX_NAME_LENGTH:
        raise ApprovalRefusedError(
            f"Give the approver's name with --as, in at most {_MAX_NAME_LENGTH} characters."
        )
    return name


def _find_or_open_round(connection: Connection, workspace: Workspace, plan: Plan, now: datetime) -> Round:
    """Return the round that waits for answers about exactly this plan; if there is none, a new one, which
    nobody has asked for."""
    former = find_open_round(connection, plan.edition, plan.segment.text)
    if former is not None:
        if asks_for(former, plan, workspace):
            return former
        end_round(connection, former.id, RoundState.replaced, now)
    unfinished = find_unfinished_campaign(connection, plan)
    number = find_or_write_campaign(connection, plan, unfinished, now)
    steps = choose_steps(connection, workspace.settings, plan)
    return open_round(connection, workspace, plan, number, asker=None, steps=steps, now=now)


def _find_person(connection: Connection, asked: Round, name: str) -> Person:
    """Return whom ``name`` means among those whom the current step asks: their name or their address."""
    current = asked.current_step
    colleagues = list_colleagues(connection)
    reviewers = {one.reviewer_id: one for one in list_reviewers(connection, asked.id)}
    for party in current.step.parties if current is not None else ():
        match party.kind:
            case PartyKind.anybody:
                return Person(key=f"name:{fold_name(name)}", name=name)
            case PartyKind.reviewer:
                found = reviewers.get(party.number or 0)
                if found is not None and is_named(name, [found.name, found.email]):
                    return found
            case _:
                for one in colleagues:
                    if is_named(name, [one.name, one.email]) and party.admits(one):
                        return one
    raise ApprovalRefusedError(
        f"{name} is not asked for the approval of {asked.edition}. It waits for {asked.describe_missing()}. "
        "Give the name or the address of somebody who is asked."
    )

"""An answer with all that follows from it: the next step is told, or the campaign approved."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.campaigns.approvals.answers import record_answer
from mailer.campaigns.approvals.mail_queue import list_asked, queue_asked, queue_outcome
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.rounds import find_round
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.approvals.stored_approval import restore_plan, store_approval
from mailer.campaigns.launch_lock import check_launchable
from mailer.database.approval_models import ApprovalVerdict
from mailer.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class SettledAnswer:
    """The round after an answer; ``is_new`` unless the same answer was there before."""

    asked: Round
    is_new: bool


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
) -> SettledAnswer:
    """Write down an answer. If it is the last one that was waited for, the campaign is approved, with the
    content that was asked for; otherwise those who are asked next are told. The caller holds the edition's
    launch lock, commits, and then wakes the worker that mails.

    Raises:
        AnswerRefusedError: as for :func:`~mailer.campaigns.approvals.answers.record_answer`.
        ApprovalRefusedError: the campaign is being sent, or was cancelled at the same moment.
        LaunchRefusedError: it cannot be launched.
        CompiledVersionError: another version of the program compiled what was asked for.
        SegmentError: the segment is not valid any more.
    """
    settings = workspace.settings
    before = find_round(connection, round_id)
    told = list_asked(connection, settings, before) if before is not None else ()
    after = record_answer(
        connection, settings, round_id, person, verdict, seen=seen, words=words, changes=changes, now=now
    )
    is_new = before is not None and before.find_answer(person) is None
    if not is_new:
        return SettledAnswer(asked=after, is_new=False)
    if after.is_open and after.current_step is None:
        plan = restore_plan(connection, workspace, after)
        check_launchable(settings, plan)
        store_approval(connection, plan, after, now=now)
        after = find_round(connection, round_id) or after
    if after.is_open:
        queue_asked(connection, settings, after, told=told, now=now)
    else:
        queue_outcome(connection, after, by=person, now=now)
    return SettledAnswer(asked=after, is_new=True)

"""The page of an approval: exactly what is asked for, how far it has come, and what may be done about it."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import Session, col
from starlette.responses import Response

from mailer.campaigns.approvals.answers import AnswerFault, find_author_fault, list_asked
from mailer.campaigns.approvals.approval import Approval, check_approval
from mailer.campaigns.approvals.changes import TextChange, compare_contents
from mailer.campaigns.approvals.people import WantedStep, describe_steps, find_writers, read_step_settings
from mailer.campaigns.approvals.rounds import Round, find_former_approval, list_rounds, read_round_content
from mailer.campaigns.corrections import SEPARATOR
from mailer.counts.counters import CountedNumber, count_audience, count_difference
from mailer.database.approval_models import RoundState
from mailer.database.models import Campaign, CampaignState
from mailer.errors import ConfigurationError
from mailer.rendering.compiled_edition import CompiledVersionError
from mailer.team.members import ROLE_NAMES, Permission, list_members
from mailer.web.routing import GET
from mailer.web.studio.approvals.approval_place import (
    ApprovalPlace,
    ApprovalPlaceDep,
    as_person,
    list_changes_since,
    say_round,
)
from mailer.web.studio.approvals.fault_words import FAULT_WORDS
from mailer.web.studio.approvals.state_words import ROUND_WORDS
from mailer.web.studio.approvals.variant_list import VariantPage, list_variants
from mailer.web.studio.approvals.variant_words import describe_differences
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute


@dataclass(frozen=True, kw_only=True)
class ShownApproval:
    """What the page shows. ``asked`` is the last round, None if the approval was never asked for, and
    ``earlier`` are those before it. ``approval`` is one that was given before there were rounds. ``changes``
    have happened since. ``can_answer`` says that it waits for whoever looks; ``fault`` is why they may not
    approve it all the same. ``waits_for`` are the people whose answer is waited for."""

    asked: Round | None
    earlier: tuple[Round, ...]
    approval: Approval | None
    changes: tuple[str, ...] = ()
    can_answer: bool = False
    fault: AnswerFault | None = None
    waits_for: tuple[str, ...] = ()
    variants: VariantPage | None = None
    former: Round | None = None
    texts: tuple[TextChange, ...] = ()
    audience: CountedNumber | None = None
    difference: CountedNumber | None = None


def show_approval(page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show the approval of a campaign."""
    return render_approval(page, place)


def render_approval(
    page: StudioPage,
    place: ApprovalPlace,
    *,
    status: int = 200,
    errors: tuple[tuple[str, str], ...] = (),
    changes: tuple[str, ...] = (),
    note: str | None = None,
    words: str = "",
) -> Response:
    """Render the page, with what was wrong with a form and what was typed into it."""
    with page.state.read_session() as session:
        shown = _look_up(page, place, session)
        steps = _list_steps(page, session.connection(), shown.asked)
        names = {one.id: one.name for one in list_members(session)}
        rounds = (shown.asked, *shown.earlier) if shown.asked is not None else ()
        segment_words = {one.id: say_round(page, session.connection(), one) for one in rounds}
    prepared = place.preparation.decisions.note if place.preparation is not None else ""
    return page.render(
        "approval.html",
        status=status,
        section="campaigns",
        place=place,
        shown=shown,
        asked=shown.asked,
        differences=_describe_differences(page, shown),
        steps=steps,
        member_names=names,
        segment_words=segment_words,
        can_ask=_can_ask(page, place, shown),
        can_change_steps=place.is_askable and page.may(Permission.approve),
        is_required=page.settings.campaigns.approval == "required",
        back=page.make_path(f"/campaigns/{place.number}"),
        here=page.make_path(place.path),
        fault_words=FAULT_WORDS,
        round_words=ROUND_WORDS,
        role_names=ROLE_NAMES,
        changes_apply=bool(shown.changes),
        errors=errors,
        refused_changes=changes,
        note=prepared if note is None else note,
        words=words,
        new_request=lambda: secrets.token_urlsafe(16),
        edition_path=page.make_path(f"/editions/{place.edition}"),
    )


def _describe_differences(page: StudioPage, shown: ShownApproval) -> dict[int, tuple[str, ...]]:
    if shown.asked is None or shown.variants is None:
        return {}
    return describe_differences(page, shown.asked, shown.variants)


def _can_ask(page: StudioPage, place: ApprovalPlace, shown: ShownApproval) -> bool:
    """Whether the form to ask is on the page: nothing waits or holds that would be asked for again."""
    if not (place.is_askable and page.may(Permission.prepare)):
        return False
    asked = shown.asked
    is_settled = asked is not None and asked.state in {RoundState.open, RoundState.approved}
    return not is_settled or bool(shown.changes)


def _look_up(page: StudioPage, place: ApprovalPlace, session: Session) -> ShownApproval:
    connection, settings = session.connection(), page.settings
    rounds = list_rounds(connection, place.number)
    if not rounds:
        approval = check_approval(session, page.state.workspace, place.number)
        return ShownApproval(asked=None, earlier=(), approval=approval)
    asked = rounds[0]
    is_current = asked.is_open or (
        asked.state is RoundState.approved
        and place.state in {CampaignState.approved, CampaignState.scheduled}
    )
    changes = list_changes_since(page, place, asked, connection) if is_current else ()
    person = as_person(page.member)
    can_answer = asked.is_asked(person) and not changes
    writers = find_writers(connection, asked.edition, asked.facts.authors)
    former = find_former_approval(connection, asked.edition, asked)
    return ShownApproval(
        asked=asked,
        earlier=rounds[1:],
        approval=None,
        changes=changes,
        can_answer=can_answer,
        fault=find_author_fault(settings, asked, person, writers) if can_answer else None,
        waits_for=tuple(one.name for one in list_asked(connection, settings, asked)),
        variants=list_variants(asked, page.request.query_params.get("page", "")),
        former=former,
        texts=_compare_texts(connection, former, asked),
        audience=_count_audience(page, asked) if is_current else None,
        difference=_count_difference(page, asked, connection) if is_current else None,
    )


def _compare_texts(connection: Connection, former: Round | None, asked: Round) -> tuple[TextChange, ...]:
    """Which words are different from the last approval."""
    if former is None or former.digest == asked.digest:
        return ()
    try:
        return compare_contents(read_round_content(connection, former), read_round_content(connection, asked))
    except CompiledVersionError:
        return ()


def _count_audience(page: StudioPage, asked: Round) -> CountedNumber | None:
    """How many would get it now, late and dated. Who may not see partners sees what was counted when it was
    asked."""
    if not page.may(Permission.see_partners):
        return None
    request = count_audience(asked.edition, asked.options.segment, again=asked.options.again)
    return page.state.counts.get(request)


def _count_difference(page: StudioPage, asked: Round, connection: Connection) -> CountedNumber | None:
    """How many are new and gone since the last campaign; None if there was none."""
    last = connection.scalar(
        select(col(Campaign.id))
        .where(col(Campaign.launched_at).is_not(None), col(Campaign.edition).not_like(f"%{SEPARATOR}%"))
        .order_by(col(Campaign.id).desc())
        .limit(1)
    )
    if last is None or not page.may(Permission.see_partners):
        return None
    return page.state.counts.get(count_difference(f"campaign:{last}", asked.options.segment))


def _list_steps(page: StudioPage, connection: Connection, asked: Round | None) -> tuple[WantedStep, ...]:
    """The steps that would be asked for; none for anybody who may approve, and where the settings are wrong,
    which asking says."""
    if asked is not None and asked.has_own_steps and asked.state is not RoundState.approved:
        return describe_steps(connection, asked)
    try:
        return read_step_settings(connection, page.settings)
    except ConfigurationError:
        return ()


ROUTES = (StudioRoute("/campaigns/{campaign}/approval", show_approval, GET, Permission.read),)

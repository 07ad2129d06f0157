"""What was asked to be approved: what has changed since, and each mail exactly as it was then."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from mailer.activity.acts import Act
from mailer.activity.record import Actor, record_activity
from mailer.campaigns.approvals.answers import AnswerFault
from mailer.campaigns.approvals.rounds import (
    Round,
    find_last_round,
    find_round,
    read_round_content,
    read_variant_content,
)
from mailer.campaigns.approvals.settlement import settle_answer
from mailer.campaigns.approvals.status import find_current_options, list_round_changes, name_asked_stories
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.edition_lock import acquire_launch_lock
from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.approval_models import ApprovalVerdict
from mailer.database.models import CampaignState
from mailer.errors import ConfigurationError
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.mail_merge import anonymous_reader
from mailer.team.members import Permission
from mailer.web.forms import Form, read_number
from mailer.web.mail_preview.query import ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import (
    describe_difference,
    describe_main,
    dress_html,
    personalise_mail,
)
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.studio.campaign_place import CampaignPageDep
from mailer.web.studio.mail_frame import show_mail, show_text
from mailer.web.studio.page import Visit, or_404
from mailer.web.studio.routing import Routes

ROUTES = Routes()
_ON_PAGE = 12
"""Frames on one page: each is a mail of up to 100 kB, loaded as it comes into sight."""
_ROUND = "/campaigns/{campaign}/approval/{number}"


def list_changes_since(visit: Visit, session: Session, asked: Round) -> tuple[str, ...]:
    """Return what has changed since an approval was asked for."""
    connection, workspace = session.connection(), visit.state.workspace
    campaign = find_campaign(session, asked.campaign_id)
    prepared = read_preparation(session, asked.campaign_id)
    options = find_current_options(session, workspace.settings, campaign, prepared)
    is_frozen = campaign.state is CampaignState.scheduled or SEPARATOR in campaign.edition
    compiled = _read_frozen(connection, asked) if is_frozen else _compile(visit, campaign.edition)
    return list_round_changes(connection, workspace, asked, compiled=compiled, options=options)


def _read_frozen(connection: Connection, asked: Round) -> tuple[CompiledEdition, ...]:
    try:
        return read_round_content(connection, asked)
    except CompiledVersionError:
        return ()


def _compile(visit: Visit, edition: str) -> tuple[CompiledEdition, ...]:
    """Return the edition as it is now; nothing if it has errors or is not there."""
    try:
        found = visit.state.previews.compiler(edition).compile()
    except (ConfigurationError, OSError, ValueError):
        return ()
    return () if found.edition is None or found.errors else found.own_first


def take_answer(visit: Visit, asked: Round, person: Person, form: Form) -> Round:
    """Settle what ``person`` answers in a form, write it down, and have those told whom it concerns; return
    the round as it is then. The caller reads nothing at that time."""
    state, verdict = visit.state, ApprovalVerdict(form.get("verdict"))
    with state.read_session() as session:
        changes = list_changes_since(visit, session, asked) if asked.is_open else ()
    with state.write_session() as session:
        acquire_launch_lock(session.connection(), asked.edition)
        now = state.clock()
        after, is_new = settle_answer(
            session.connection(),
            state.workspace,
            asked.id,
            person,
            verdict,
            seen=form.get("seen"),
            words=form.get("words"),
            changes=changes,
            now=now,
        )
        if is_new:
            is_approval = verdict is ApprovalVerdict.approved
            record_activity(
                session,
                Actor(name=person.name, member_id=person.member_id),
                Act.approved_campaign if is_approval else Act.requested_changes,
                edition=asked.edition,
                subject=str(asked.campaign_id),
                detail="" if person.reviewer_id is None else "outside reviewer",
                now=now,
            )
    state.sign_in_mailer.wake()
    return after


def describe_fault(visit: Visit, fault: AnswerFault) -> tuple[str, str]:
    """Return the field that was wrong with an answer, and words for it."""
    return "words" if fault is AnswerFault.no_words else "", visit.translate(fault.words)


def find_round_of(connection: Connection, campaign: int, number: str = "") -> Round:
    """Return a round of a campaign, by its number in a form or a path; without one, the last. Raise
    HTTPException 404 if there is no such round.
    """
    row = read_number(number)
    asked = find_round(connection, row) if row is not None else None
    if not number:
        asked = find_last_round(connection, campaign)
    if asked is None or asked.campaign_id != campaign:
        raise HTTPException(404)
    return asked


def list_variants(visit: Visit, connection: Connection, asked: Round) -> Mapping[str, Any]:
    """Return the variants on a page of the address, by number, those of most readers first, and in what they
    differ from the first of all."""
    facts = asked.facts
    pages = max(1, -(-len(facts.variants) // _ON_PAGE))
    page = min(max(read_number(visit.request.query_params.get("page", ""), digits=6) or 1, 1), pages)
    shown = [*enumerate(facts.variants, start=1)][(page - 1) * _ON_PAGE : page * _ON_PAGE]
    differences = {}
    if len(facts.variants) > 1:
        titles = name_asked_stories(connection, asked)
        stories = [[facts.slugs[place] for place in variant.stories] for variant in facts.variants]
        for number, _ in shown:
            own = stories[number - 1]
            differences[number] = (
                describe_main(visit.translator)
                if number == 1
                else describe_difference(visit.translator, own, stories[0], titles)
            )
    return {"shown": shown, "page": page, "pages": pages, "differences": differences}


def render_variant(visit: Visit, asked: Round, number: str, **values: Any) -> Response:
    """Render one variant at full size, with the ways to the ones before and after it."""
    shown = or_404(read_number(number, digits=6))
    or_404(0 < shown <= len(asked.facts.variants))
    return visit.render(
        "approval_variant.html",
        asked=asked,
        number=shown,
        variant=asked.facts.variants[shown - 1],
        show=visit.request.query_params.get("show", ""),
        **values,
    )


def show_frozen_mail(visit: Visit, asked: Round, number: str, base: str) -> Response:
    """Show the mail of a variant, in a frame. Its pictures are below ``base``."""
    variant = or_404(asked.facts.find_variant(or_404(read_number(number, digits=6))))
    with visit.state.read_session() as session:
        try:
            mail = read_variant_content(session.connection(), asked.id, variant.language)
        except CompiledVersionError as error:
            raise HTTPException(404) from error
    shown = or_404(personalise_mail(mail, anonymous_reader(visit.settings), variant))
    query = parse_query(visit.request.query_params)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=asked.facts.subject, language=variant.language)
    query = replace(query, show=ShownWindows.desktop)
    return show_mail(dress_html(shown.html, query, base_url=visit.settings.web.base_url, prefix=base))


def show_frozen_image(visit: Visit, name: str) -> Response:
    """Show a picture of what was asked for: as launches do, asking puts them into the media folder, named by
    their content."""
    media_type = or_404(IMAGE_TYPES.get(PurePosixPath(name).suffix))
    or_404(name == Path(name).name and "\0" not in name)
    path = visit.state.workspace.media / name
    try:
        or_404(path.is_file())
    except (OSError, ValueError) as error:
        raise HTTPException(404) from error
    headers = {**IMAGE_HEADERS, "cache-control": "private, max-age=86400, immutable"}
    return FileResponse(path, media_type=media_type, headers=headers)


def _find_asked(page: CampaignPageDep, number: str) -> Round:
    with page.state.read_session() as session:
        return find_round_of(session.connection(), page.number, number)


_AskedDep = Annotated[Round, Depends(_find_asked)]


@ROUTES.get_route(f"{_ROUND}/variants/{{variant}}", Permission.read)
def show_variant(page: CampaignPageDep, asked: _AskedDep, variant: str) -> Response:
    back = page.make_path(f"{page.path}/approval")
    return render_variant(page, asked, variant, back=back, base=f"{back}/{asked.id}")


@ROUTES.get_route(f"{_ROUND}/frame/{{variant}}", Permission.read)
def show_frame(page: CampaignPageDep, asked: _AskedDep, variant: str) -> Response:
    return show_frozen_mail(page, asked, variant, page.make_path(f"{page.path}/approval/{asked.id}"))


@ROUTES.get_route(f"{_ROUND}/media/{{name}}", Permission.read)
def show_image(page: CampaignPageDep, number: str, name: str) -> Response:
    _find_asked(page, number)
    return show_frozen_image(page, name)

"""What was asked to be approved: the campaign, what has changed since, and each mail as it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated

from fastapi import Depends
from sqlalchemy import Connection, select
from sqlmodel import col
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from locales.languages import language_name
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.answers import AnswerFault, list_round_changes
from mailer.campaigns.approvals.changes import SendingOptions, name_stories
from mailer.campaigns.approvals.rounds import (
    Round,
    find_last_round,
    find_round,
    read_round_content,
    read_variant_content,
)
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.named_plan import NoSegmentError, plan_prepared_campaign
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.approval_models import RoundState
from mailer.database.models import Campaign, CampaignState
from mailer.errors import ConfigurationError
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.mail_merge import anonymous_reader
from mailer.team.members import Member, Permission
from mailer.web.forms import read_number
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import (
    describe_difference,
    describe_main,
    dress_html,
    personalise_mail,
)
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.security import make_mail_policy
from mailer.web.studio.campaign_place import CampaignNumber
from mailer.web.studio.page import PageDep, StudioPage, Visit
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from subscribers.errors import SubscriberError

ROUTES = Routes()

_ASKABLE = frozenset(
    {CampaignState.draft, CampaignState.tested, CampaignState.approved, CampaignState.scheduled}
)


@dataclass(frozen=True, kw_only=True)
class ApprovalPlace:
    """A campaign that can be approved, or was. ``preparation`` is None if a command made it; ``segment``,
    ``again`` and ``counts_clicks`` are then its own."""

    number: int
    edition: str
    title: str
    state: CampaignState
    segment: str
    again: bool
    counts_clicks: bool
    preparation: Preparation | None

    @property
    def path(self) -> str:
        return f"/campaigns/{self.number}/approval"

    @property
    def is_correction(self) -> bool:
        return SEPARATOR in self.edition

    @property
    def is_askable(self) -> bool:
        """Whether its approval can be asked for: it is not launched, and no correction of the command line,
        whose note only that has."""
        return self.state in _ASKABLE and not (self.is_correction and self.preparation is None)


def _find_place(campaign: CampaignNumber, page: PageDep) -> ApprovalPlace:
    return find_place(page, campaign)


ApprovalPlaceDep = Annotated[ApprovalPlace, Depends(_find_place)]
"""The campaign that a path names; otherwise the answer is 404."""


def find_place(page: Visit, number: int) -> ApprovalPlace:
    """The campaign with this number.

    Raises:
        HTTPException: 404, there is none.
    """
    columns = (
        *(col(Campaign.id), col(Campaign.edition), col(Campaign.title), col(Campaign.state)),
        *(col(Campaign.segment), col(Campaign.again), col(Campaign.counts_clicks)),
    )
    with page.state.read_session() as session:
        row = session.connection().execute(select(*columns).where(col(Campaign.id) == number)).first()
        preparation = read_preparation(session, number)
    if row is None:
        raise HTTPException(404)
    return ApprovalPlace(
        number=number,
        edition=row.edition,
        title=row.title or row.edition,
        state=row.state,
        segment=row.segment,
        again=row.again,
        counts_clicks=row.counts_clicks,
        preparation=preparation,
    )


def plan_place(page: StudioPage, place: ApprovalPlace) -> Plan:
    """Plan the campaign as it would be launched now.

    Raises:
        NoSegmentError: nobody has chosen who gets it.
        SubscriberError: its segment is not valid.
        ConfigurationError: its edition is not there any more.
    """
    state, now = page.state, page.state.clock()
    if place.preparation is not None and place.preparation.is_open:
        return plan_prepared_campaign(state.workspace, state.engine, place.preparation, now=now)
    if not place.segment:
        raise NoSegmentError(place.number)
    with state.read_session() as session:
        segment = read_segment(place.segment, page.settings, session)
    return plan_campaign(
        state.workspace,
        state.engine,
        place.edition,
        segment,
        again=place.again,
        count_clicks=place.counts_clicks,
        now=now,
    )


def read_options(page: Visit, place: ApprovalPlace, connection: Connection) -> SendingOptions | None:
    """What is decided about the campaign now; None if nobody has chosen a segment, or it is not valid."""
    prepared = place.preparation
    if prepared is None or not prepared.is_open:
        return SendingOptions(segment=place.segment, again=place.again, counts_clicks=place.counts_clicks)
    decided, usual = prepared.decisions, page.settings.campaigns.count_clicks
    try:
        segment = read_segment(decided.segment or "", page.settings, connection).text
    except SubscriberError:
        return None
    counts = usual if decided.count_clicks is None else decided.count_clicks
    return SendingOptions(segment=segment, again=decided.again, counts_clicks=counts)


def list_changes_since(
    page: Visit, place: ApprovalPlace, asked: Round, connection: Connection
) -> tuple[str, ...]:
    """What has changed since the approval was asked for."""
    options = read_options(page, place, connection)
    if options is None:
        return (Phrase(gettext_noop("the segment, which is not chosen or not valid any more")),)
    is_frozen = place.state is CampaignState.scheduled or SEPARATOR in place.edition
    compiled = _read_frozen(connection, asked) if is_frozen else compile_current(page, place.edition)
    return list_round_changes(connection, page.state.workspace, asked, compiled=compiled, options=options)


def _read_frozen(connection: Connection, asked: Round) -> tuple[CompiledEdition, ...]:
    try:
        return read_round_content(connection, asked)
    except CompiledVersionError:
        return ()


def compile_current(page: Visit, edition: str) -> tuple[CompiledEdition, ...]:
    """The edition as it is now, its own language first; nothing if it has errors or is not there."""
    try:
        found = page.state.previews.compiler(edition).compile()
    except (ConfigurationError, OSError, ValueError):
        return ()
    if found.edition is None or found.errors:
        return ()
    own = found.edition.language
    return tuple(sorted(found.mails.values(), key=lambda mail: mail.language != own))


def find_round_of_place(connection: Connection, place: ApprovalPlace, number: str = "") -> Round:
    """A round of the campaign, by its number in a form or a path; the last one without a number.

    Raises:
        HTTPException: 404, there is no such round.
    """
    if number:
        row = read_number(number)
        found = find_round(connection, row) if row is not None else None
    else:
        found = find_last_round(connection, place.number)
    if found is None or found.campaign_id != place.number:
        raise HTTPException(404)
    return found


def say_round(visit: Visit, connection: Connection, asked: Round) -> str:
    """Who would get what was asked for, in the language of the page."""
    return say_segment(visit, connection, asked.options.segment, asked.facts.in_words)


def as_person(member: Member) -> Person:
    """A member as somebody who answers."""
    return Person(key=f"member:{member.id}", name=member.name, member_id=member.id, role=member.role)


FAULT_WORDS: Mapping[AnswerFault, str] = MappingProxyType(
    {
        AnswerFault.gone: gettext_noop("This request is not there any more."),
        AnswerFault.ended: gettext_noop(
            "This request has ended, so your answer was not taken. If the approval is asked for again, you "
            "will find it here."
        ),
        AnswerFault.replaced: gettext_noop(
            "Your answer was not taken: the approval was asked for again while you read. Look at what is "
            "asked for now."
        ),
        AnswerFault.changed: gettext_noop(
            "Your answer was not taken, because this has changed since you were asked. Whoever asked has to "
            "ask again."
        ),
        AnswerFault.answered: gettext_noop(
            "You have answered already. If the approval is asked for again, you can answer anew."
        ),
        AnswerFault.not_asked: gettext_noop("You are not asked in this step."),
        AnswerFault.author: gettext_noop(
            "You wrote in this edition or asked for its approval, and another person has to approve it."
        ),
        AnswerFault.no_author: gettext_noop(
            "Nobody knows who wrote this edition, so nobody can approve it as another person. Name its "
            "authors in its details first."
        ),
        AnswerFault.no_words: gettext_noop("Say what has to change."),
    }
)
"""A test demands that each has words."""

ROUND_WORDS: Mapping[RoundState, tuple[str, str]] = MappingProxyType(
    {
        RoundState.open: (gettext_noop("Waits for answers"), "careful"),
        RoundState.approved: (gettext_noop("Approved"), "right"),
        RoundState.changes_requested: (gettext_noop("Changes are asked for"), "wrong"),
        RoundState.withdrawn: (gettext_noop("Taken back"), "quiet"),
        RoundState.replaced: (gettext_noop("Asked for again"), "quiet"),
    }
)
"""A test demands that each has words."""

PAGE_SIZE = 12
"""Frames on one page: each is a mail of up to 100 kB, loaded as it comes into sight."""


@dataclass(frozen=True, kw_only=True)
class ShownVariant:
    """A variant in a list. ``is_whole`` says that it has every story, in the edition's own order."""

    number: int
    language: str
    language_name: str
    stories: int
    readers: int
    is_whole: bool


@dataclass(frozen=True, kw_only=True)
class VariantPage:
    """The variants on page ``number`` of ``pages``, from 1, and how many there are in all."""

    variants: tuple[ShownVariant, ...]
    number: int
    pages: int
    total: int


def list_variants(asked: Round, wanted: str = "") -> VariantPage:
    """The variants of a round, those of most readers first; ``wanted`` is the page in the address."""
    found = asked.facts.variants
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(max(read_number(wanted, digits=6) or 1, 1), pages)
    first = (number - 1) * PAGE_SIZE
    shown = tuple(
        describe_variant(asked, place + 1) for place in range(first, min(first + PAGE_SIZE, len(found)))
    )
    return VariantPage(variants=shown, number=number, pages=pages, total=len(found))


def describe_variant(asked: Round, number: int) -> ShownVariant:
    """The variant with this number, from 1, which there must be."""
    variant = asked.facts.variants[number - 1]
    return ShownVariant(
        number=number,
        language=variant.language,
        language_name=language_name(variant.language),
        stories=len(variant.stories),
        readers=variant.readers,
        is_whole=variant.stories == tuple(range(len(asked.facts.slugs))),
    )


def describe_differences(visit: Visit, asked: Round, listed: VariantPage) -> dict[int, tuple[str, ...]]:
    """In what the listed variants differ from the first, by their numbers; nothing if there is only one."""
    if listed.total < 2:
        return {}
    titles = _read_titles(visit, asked)
    stories = [tuple(asked.facts.slugs[place] for place in one.stories) for one in asked.facts.variants]
    return {
        one.number: describe_main(visit.translator)
        if one.number == 1
        else describe_difference(visit.translator, stories[one.number - 1], stories[0], titles)
        for one in listed.variants
    }


def _read_titles(visit: Visit, asked: Round) -> dict[str, str]:
    with visit.state.read_session() as session:
        try:
            mail = read_variant_content(session.connection(), asked.id, asked.facts.languages[0])
        except CompiledVersionError:
            mail = None
    return name_stories(mail) if mail is not None else {}


# Of the same origin as the page around it, so that its pictures get the cookie of the session. It can run
# nothing.
_FRAME_HEADERS = {
    "content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'", own_origin=True),
}
_TEXT_PAGE = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>'
    ":root{{color-scheme:light dark}}body{{margin:24px}}"
    "pre{{margin:0;font:13px/20px ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;"
    "overflow-wrap:break-word}}</style></head><body><pre>{text}</pre></body></html>\n"
)
_PRIVATE = "private, max-age=86400, immutable"


def read_variant_number(text: str) -> int:
    """The number of a variant in a path.

    Raises:
        HTTPException: 404, it is none.
    """
    number = read_number(text, digits=6)
    if number is None:
        raise HTTPException(404)
    return number


def show_frozen_mail(visit: Visit, asked: Round, number: str, media_path: str) -> Response:
    """The mail of one variant of a round, for a frame. ``media_path`` is where its pictures are.

    Raises:
        HTTPException: 404, there is no such variant, or it cannot be shown.
    """
    variant = asked.facts.find_variant(read_variant_number(number))
    if variant is None:
        raise HTTPException(404)
    try:
        with visit.state.read_session() as session:
            mail = read_variant_content(session.connection(), asked.id, variant.language)
    except CompiledVersionError as error:
        raise HTTPException(404) from error
    shown = personalise_mail(mail, anonymous_reader(visit.settings), variant)
    if shown is None:
        raise HTTPException(404)
    query = parse_query(visit.request.query_params)
    if query.show is ShownWindows.text:
        page = _TEXT_PAGE.format(
            language=variant.language, title=escape(asked.facts.subject), text=escape(shown.text)
        )
        return HTMLResponse(page, headers=_FRAME_HEADERS)
    html = dress_html(
        shown.html,
        PreviewQuery(show=ShownWindows.desktop, scheme=query.scheme, images=query.images),
        base_url=visit.settings.web.base_url,
        prefix=media_path,
    )
    return HTMLResponse(html, headers=_FRAME_HEADERS)


def show_frozen_image(visit: Visit, name: str) -> Response:
    """A picture of a mail that was asked to be approved: as launches do, asking puts them into the media
    folder, named by their content.

    Raises:
        HTTPException: 404, there is no such picture.
    """
    media_type = IMAGE_TYPES.get(PurePosixPath(name).suffix)
    if media_type is None or name != Path(name).name or "\0" in name:
        raise HTTPException(404)
    path = visit.state.workspace.media / name
    try:
        is_there = path.is_file()
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        raise HTTPException(404)
    return FileResponse(path, media_type=media_type, headers={**IMAGE_HEADERS, "cache-control": _PRIVATE})


@ROUTES.get_route("/campaigns/{campaign}/approval/{number}/variants/{variant}", Permission.read)
def show_variant(number: str, variant: str, page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show one variant at full size, with the ways to the ones before and after it."""
    asked = _find_round(page, place, number)
    shown = read_variant_number(variant)
    if not 0 < shown <= len(asked.facts.variants):
        raise HTTPException(404)
    return page.render(
        "approval_variant.html",
        section="campaigns",
        title=asked.facts.title,
        back=page.make_path(place.path),
        base=page.make_path(f"{place.path}/{asked.id}"),
        variant=describe_variant(asked, shown),
        total=len(asked.facts.variants),
        show=page.request.query_params.get("show", ""),
    )


@ROUTES.get_route("/campaigns/{campaign}/approval/{number}/frame/{variant}", Permission.read)
def show_frame(number: str, variant: str, page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show the mail of a variant."""
    asked = _find_round(page, place, number)
    return show_frozen_mail(page, asked, variant, page.make_path(f"{place.path}/{asked.id}"))


@ROUTES.get_route("/campaigns/{campaign}/approval/{number}/media/{name}", Permission.read)
def show_image(number: str, name: str, page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show a picture of a variant."""
    _find_round(page, place, number)
    return show_frozen_image(page, name)


def _find_round(page: StudioPage, place: ApprovalPlace, number: str) -> Round:
    with page.state.read_session() as session:
        return find_round_of_place(session.connection(), place, number)


_ROUND = "/campaigns/{campaign}/approval/{number}"

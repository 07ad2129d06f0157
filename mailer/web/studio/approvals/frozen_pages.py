"""What was asked for, for members: each variant on a page, its frame, and its pictures."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.approvals.rounds import Round
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.approvals.approval_place import ApprovalPlace, ApprovalPlaceDep, find_round_of_place
from mailer.web.studio.approvals.frozen_mail import read_variant_number, show_frozen_image, show_frozen_mail
from mailer.web.studio.approvals.variant_list import describe_variant
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute


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


def show_frame(number: str, variant: str, page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show the mail of a variant."""
    asked = _find_round(page, place, number)
    return show_frozen_mail(page, asked, variant, page.make_path(f"{place.path}/{asked.id}"))


def show_image(number: str, name: str, page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show a picture of a variant."""
    _find_round(page, place, number)
    return show_frozen_image(page, name)


def _find_round(page: StudioPage, place: ApprovalPlace, number: str) -> Round:
    with page.state.read_session() as session:
        return find_round_of_place(session.connection(), place, number)


_ROUND = "/campaigns/{campaign}/approval/{number}"
ROUTES = (
    StudioRoute(f"{_ROUND}/variants/{{variant}}", show_variant, GET, Permission.read),
    StudioRoute(f"{_ROUND}/frame/{{variant}}", show_frame, GET, Permission.read),
    StudioRoute(f"{_ROUND}/media/{{name}}", show_image, GET, Permission.read),
)

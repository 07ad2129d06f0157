"""The page behind a link whose clicks are counted: it sends the reader on, and takes the click down.

It leads to no place but those frozen with a campaign, whatever its address says.
"""

import re

from starlette.responses import RedirectResponse, Response

from mailer.feedback.clicks.request_signs import SIGN_HEADERS, ClickRequest
from mailer.web.dependencies import CampaignLinks
from mailer.web.page_context import PageContext, PageDep
from mailer.web.routing import GET, Route
from subscribers.click_tokens import ReadToken, decode_sectors, read_click_token
from subscribers.errors import TokenError

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_ON_THE_WAY = {"referrer-policy": "no-referrer", "cache-control": "no-store"}
"""The place that a reader goes to learns nothing of our address, which has a token in it, and every click is
asked of us anew."""


def follow_link(page: PageDep, token: str, number: str) -> Response:
    """Send the reader on to where the link leads, and count the click.

    The reader waits for nothing: the click is handed over and written down later. With a key that somebody
    else may have, the link still leads there, but is not counted.
    """
    try:
        read = read_click_token(page.keys.tokens, token)
    except TokenError:
        return _render_unknown(page)
    links = page.site.links.find(read.token.campaign_id)
    if links is None or _was_signed_too_late(read, links):
        return _render_unknown(page)
    location = links.locations.get(int(number)) if _NUMBER.fullmatch(number) else None
    if location is None:
        return _render_unknown(page.for_email_in(links.language))
    if not read.is_retired:
        page.site.click_recorder.record(_describe_request(page, read, int(number), links))
    return RedirectResponse(location, status_code=302, headers=_ON_THE_WAY)


def _was_signed_too_late(read: ReadToken, links: CampaignLinks) -> bool:
    """Whether the key of a token had been replaced before its campaign was launched. Then it was stolen."""
    last_day = read.token.last_day
    return last_day is not None and links.launched_on > last_day


def _describe_request(page: PageContext, read: ReadToken, number: int, links: CampaignLinks) -> ClickRequest:
    request, token = page.request, read.token
    return ClickRequest(
        campaign_id=token.campaign_id,
        link_number=number,
        country=token.country,
        sectors=decode_sectors(token.sectors, links.sectors),
        subscriber_id=token.subscriber_id or None,
        at=page.site.clock(),
        method=request.method,
        address=request.client.host if request.client is not None else "",
        user_agent=request.headers.get("user-agent", ""),
        headers={name: request.headers[name] for name in SIGN_HEADERS if name in request.headers},
    )


def _render_unknown(page: PageContext) -> Response:
    return page.render("unknown_link.html", status=404)


ROUTES: tuple[Route, ...] = (("/c/{token}/{number}", follow_link, GET),)

"""Where the links of a campaign that counts clicks lead: only to the places that were frozen with it."""

import re

from starlette.responses import RedirectResponse, Response

from mailer.feedback.clicks.request_signs import SIGN_HEADERS, ClickRequest
from mailer.web.dependencies import CampaignLinks
from mailer.web.page_context import PageContext, PageDep
from mailer.web.routing import GET, Route
from subscribers.click_tokens import ClickToken, decode_sectors, read_click_token
from subscribers.errors import TokenError

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_ON_THE_WAY = {"referrer-policy": "no-referrer", "cache-control": "no-store"}
"""The place that a reader goes to learns nothing of our address, which has a token in it, and every click is
asked of us anew."""


def follow_link(page: PageDep, token: str, number: str) -> Response:
    """Send the reader on to where the link leads, and count the click, which is handed over and written down
    later. With a key that somebody else may have, the link still leads there, but is not counted.
    """
    try:
        read = read_click_token(page.keys.tokens, token)
    except TokenError:
        return _render_unknown(page)
    links = page.site.links.find(read.campaign_id)
    # A key that had been replaced before the campaign was launched was stolen.
    if links is None or (read.last_day is not None and links.launched_on > read.last_day):
        return _render_unknown(page)
    location = links.locations.get(int(number)) if _NUMBER.fullmatch(number) else None
    if location is None:
        return _render_unknown(page.for_email_in(links.language))
    if not read.is_retired:
        page.site.click_recorder.record(_describe_request(page, read, int(number), links))
    return RedirectResponse(location, status_code=302, headers=_ON_THE_WAY)


def _describe_request(
    page: PageContext, token: ClickToken, number: int, links: CampaignLinks
) -> ClickRequest:
    request = page.request
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

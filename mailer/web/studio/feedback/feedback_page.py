"""What waits of what came back: messages to be judged, proposed successors, and replies that do not go on."""

import re

from starlette.responses import Response

from mailer.feedback.overview import count_held, list_held
from mailer.feedback.reply_forwarder import list_waiting_replies
from mailer.feedback.successors import count_proposals, list_proposals
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.feedback.words import KIND_WORDS
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number

_ROWS = 20
_NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


def show_feedback(page: PageDep) -> Response:
    """Show what waits, the oldest first; with ``campaign`` the messages about it."""
    query = page.request.query_params
    campaign = read_row_number(query.get("campaign", ""))
    after, after_successor = (_read_place(query.get(name, "")) for name in ("after", "successors"))
    with page.state.read_session() as session:
        held = list(list_held(session, campaign_id=campaign, after=after, limit=_ROWS + 1))
        successors = list_proposals(session, after=after_successor, limit=_ROWS + 1)
        replies = list_waiting_replies(session)
        held_count, successor_count = count_held(session), count_proposals(session)
    given = {"campaign": str(campaign)} if campaign else {}
    return page.render(
        "feedback.html",
        section="feedback",
        campaign=campaign,
        held=held[:_ROWS],
        held_count=held_count,
        next_held=page.make_path("/feedback", None, **given, after=str(held[_ROWS - 1].number))
        if len(held) > _ROWS
        else "",
        successors=successors[:_ROWS],
        successor_count=successor_count,
        next_successors=page.make_path(
            "/feedback", None, **given, successors=str(successors[_ROWS - 1].number)
        )
        if len(successors) > _ROWS
        else "",
        replies=replies,
        reads_successors=page.settings.feedback.successors,
        kind_words=KIND_WORDS,
    )


def _read_place(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0


ROUTES = (StudioRoute("/feedback", show_feedback, GET, Permission.see_partners),)

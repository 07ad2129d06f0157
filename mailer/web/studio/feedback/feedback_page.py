"""The page of what came back, and its words."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from starlette.responses import Response

from mailer.database.feedback_models import Consequence, Evidence, FeedbackKind, FeedbackState
from mailer.feedback.overview import count_held, list_held
from mailer.feedback.reply_forwarder import list_waiting_replies
from mailer.feedback.successors import count_proposals, list_proposals
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

KIND_WORDS: Final[Mapping[FeedbackKind, str]] = MappingProxyType(
    {
        FeedbackKind.bounce: gettext_noop("Bounce"),
        FeedbackKind.complaint: gettext_noop("Complaint about spam"),
        FeedbackKind.auto_reply: gettext_noop("Automatic reply"),
        FeedbackKind.reply: gettext_noop("Reply"),
        FeedbackKind.leave: gettext_noop("Leaving by email"),
        FeedbackKind.other: gettext_noop("Not understood"),
        FeedbackKind.dmarc: gettext_noop("Report on senders (DMARC)"),
    }
)
"""What each kind of message is called."""

STATE_WORDS: Final[Mapping[FeedbackState, tuple[str, str]]] = MappingProxyType(
    {
        FeedbackState.recorded: (gettext_noop("Done"), "quiet"),
        FeedbackState.held: (gettext_noop("Waits for a judgement"), "careful"),
        FeedbackState.forwarding: (gettext_noop("Goes on to the team soon"), "careful"),
        FeedbackState.forwarded: (gettext_noop("Went on to the team"), "right"),
        FeedbackState.judged: (gettext_noop("Judged"), "right"),
    }
)
"""The words for each state, and the tone of its mark."""

CONSEQUENCE_WORDS: Final[Mapping[Consequence, str]] = MappingProxyType(
    {
        Consequence.recorded: gettext_noop("Nothing was changed"),
        Consequence.bounced: gettext_noop("Marked as bounced: gets no more mail"),
        Consequence.complained: gettext_noop("Marked as having complained: gets no more mail"),
        Consequence.unsubscribed: gettext_noop("Has left the list"),
        Consequence.alarm: gettext_noop("It is about you, the sender: nobody was removed"),
        Consequence.held: gettext_noop("Not believed without a person"),
        Consequence.unproven: gettext_noop("Nothing was sent that this could be about: nobody was removed"),
        Consequence.outdated: gettext_noop("The partner has done something since: nobody was removed"),
        Consequence.gone: gettext_noop("Had left before"),
    }
)
"""What followed for a partner."""

EVIDENCE_WORDS: Final[Mapping[Evidence, str]] = MappingProxyType(
    {
        Evidence.token: gettext_noop("found by our signed token"),
        Evidence.message_id: gettext_noop("found by the number of our message"),
        Evidence.address: gettext_noop("found by the address alone"),
        Evidence.person: gettext_noop("named by a person"),
        Evidence.refusal: gettext_noop("refused while it was being sent"),
        Evidence.nothing: gettext_noop("nobody was found"),
    }
)
"""How the partner of an event was found."""

UNKNOWN_PERSON: Final = gettext_noop("nobody on the list")

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


PAGE_ROUTES = (StudioRoute("/feedback", show_feedback, GET, Permission.see_partners),)


def _list_feedback(page: StudioPage) -> Iterator[WaitingItem]:
    """Messages that nobody has judged, replies that do not go on, and proposed successors."""
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    with page.state.read_session() as session:
        held, successors = count_held(session), count_proposals(session)
        replies = len(list_waiting_replies(session))
    if replies:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s reply of a partner does not reach you",
                "%(num)s replies of partners do not reach you",
                replies,
            )
            % {"num": replies},
            act=translate(gettext_noop("See the replies")),
            path="/feedback#replies",
            tone="wrong",
        )
    if held:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s message that came back waits for a judgement",
                "%(num)s messages that came back wait for a judgement",
                held,
            )
            % {"num": held},
            act=plural("Judge the message", "Judge the messages", held),
            path="/feedback",
        )
    if successors:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s person may follow a partner who has left",
                "%(num)s people may follow partners who have left",
                successors,
            )
            % {"num": successors},
            act=translate(gettext_noop("See who")),
            path="/feedback#successors",
        )


WAITING_FEEDBACK = WaitingSource(
    name=gettext_noop("Feedback"), permission=Permission.change_partners, list_items=_list_feedback
)

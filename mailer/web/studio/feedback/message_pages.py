"""All messages that came back, newest first, and each of them."""

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.feedback_models import FeedbackKind, FeedbackState
from mailer.feedback.message_list import (
    KeptMessage,
    MessageFilter,
    find_message,
    find_next_held,
    list_messages,
    view_message,
)
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.feedback.judgement_form import (
    OTHER_BOUNCE,
    JudgementForm,
    list_choices,
    list_reasons,
)
from mailer.web.studio.feedback.words import (
    CONSEQUENCE_WORDS,
    EVIDENCE_WORDS,
    KIND_WORDS,
    STATE_WORDS,
)
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number

_NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


def _read_number(number: str) -> int:
    if not _NUMBER.fullmatch(number):
        raise HTTPException(404)
    return int(number)


MessageNumber = Annotated[int, Depends(_read_number)]
"""The path's ``number``, if it can be that of a message; otherwise the answer is 404."""


def show_messages(page: PageDep) -> Response:
    """Show the messages, of one kind or about one campaign."""
    query = page.request.query_params
    kind, before = query.get("kind", ""), query.get("before", "")
    wanted = MessageFilter(
        kind=FeedbackKind(kind) if kind in list(FeedbackKind) else None,
        campaign_id=read_row_number(query.get("campaign", "")),
    )
    with page.state.read_session() as session:
        found = list_messages(session, wanted, before=int(before) if _NUMBER.fullmatch(before) else None)
    given = {"kind": wanted.kind.value} if wanted.kind else {}
    given |= {"campaign": str(wanted.campaign_id)} if wanted.campaign_id else {}
    older = (
        page.make_path("/feedback/messages", None, **given, before=str(found.older)) if found.older else ""
    )
    return page.render(
        "feedback_messages.html",
        section="feedback",
        entries=found.entries,
        older=older,
        kind=given.get("kind", ""),
        campaign=given.get("campaign", ""),
        is_later_page=bool(before),
        kind_words=KIND_WORDS,
        state_words=STATE_WORDS,
    )


def show_message(page: PageDep, number: MessageNumber) -> Response:
    """Show a message, with the form for judging it if it waits for a person."""
    return render_message(page, number)


def render_message(
    page: StudioPage,
    number: int,
    *,
    form: JudgementForm | None = None,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    """Render a message with what was done about it; ``form`` is what was chosen, with its ``errors``.

    Raises:
        HTTPException: 404, there is no such message.
    """
    with page.state.read_session() as session:
        message = find_message(session, number)
        following = find_next_held(session, number)
    if message is None:
        raise HTTPException(404)
    waits = message.state is FeedbackState.held
    return page.render(
        "feedback_message.html",
        status=422 if errors else 200,
        section="feedback",
        message=message,
        view=None if message.raw is None else view_message(message.raw),
        waits=waits,
        may_judge=waits and page.may(Permission.change_partners),
        next_held=following if following != number else None,
        needs_person=not any(event.subscriber_id for event in message.events),
        form=form or JudgementForm(),
        choices=list_choices(page.translator),
        reasons=list_reasons(page.translator),
        other_bounce=OTHER_BOUNCE,
        reply_address=page.settings.sender.reply_to or page.settings.sender.address,
        partner_page=page.leads_to("/partners/{subscriber}"),
        errors=errors or [],
        problems=dict(errors or []),
        kind_words=KIND_WORDS,
        state_words=STATE_WORDS,
        consequence_words=CONSEQUENCE_WORDS,
        evidence_words=EVIDENCE_WORDS,
    )


def send_message_file(page: PageDep, number: MessageNumber) -> Response:
    """Send the bytes of a message that are kept, to be opened in an email program."""
    with page.state.read_session() as session:
        message = find_message(session, number)
    if message is None or message.raw is None:
        raise HTTPException(404)
    return Response(message.raw, media_type="message/rfc822", headers=_as_attachment(message))


def _as_attachment(message: KeptMessage) -> dict[str, str]:
    name = quote(f"message-{message.number}.eml")
    # A browser that shows it all the same runs nothing of it.
    return {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}


ROUTES = (
    StudioRoute("/feedback/messages", show_messages, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}", show_message, GET, Permission.see_partners),
    StudioRoute("/feedback/messages/{number}/file", send_message_file, GET, Permission.see_partners),
)

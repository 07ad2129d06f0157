"""Answers whether a code that somebody typed is one of ours."""

from sqlmodel import Session

from mailer.keys import Keys
from mailer.rendering.recipient import PREVIEW_CODE
from mailer.selfservice.subscription import verify_campaign
from mailer.verification.answer import Answer, Obstacle, Verdict
from mailer.verification.sent_editions import find_sent_edition
from subscribers.errors import RetiredKeyError, TokenError
from subscribers.tokens import read_code


def check_code(session: Session, keys: Keys, text: str) -> Answer:
    """Answer for the code that was typed as ``text``.

    A code names a campaign and no reader, so the answer cannot depend on whether its reader is still on the
    list, has left or was erased.
    """
    data = read_code(text)
    if data is None:
        return Answer(verdict=Verdict.mistyped)
    if data == read_code(PREVIEW_CODE):
        return Answer(verdict=Verdict.preview)
    try:
        payload = keys.tokens.read_code(text)
        verify_campaign(session, payload)
    except RetiredKeyError:
        return Answer(verdict=Verdict.unknown, obstacle=Obstacle.retired)
    except TokenError:
        return Answer(verdict=Verdict.foreign)
    if payload.campaign_id == 0:
        return Answer(verdict=Verdict.test)
    edition, _ = find_sent_edition(session, payload.campaign_id)
    if edition is None:
        return Answer(verdict=Verdict.unknown, obstacle=Obstacle.no_edition)
    return Answer(verdict=Verdict.code_known, edition=edition)

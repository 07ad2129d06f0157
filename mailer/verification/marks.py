"""Our marks in a mail: the code at its foot, the tokens of its links and headers, its Message-ID.

Each is signed, so finding one proves that we wrote it. It is not proved that the rest is ours, too.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from sqlmodel import Session

from mailer.feedback.mime_part import MimePart
from mailer.keys import Keys
from mailer.rendering.recipient import PREVIEW_CODE, message_id
from mailer.selfservice.subscription import verify_campaign
from subscribers.errors import RetiredKeyError, TokenError
from subscribers.tokens import LinkPurpose, TokenPayload, TokenSigner

_CODE = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Za-z]{4}(?:[-\u2010-\u2015][0-9A-Za-z]{4}){3}(?![0-9A-Za-z-])")
_MAIL_TOKEN = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{50}(?![0-9A-Za-z])")
_LINK_TOKEN = re.compile(r"/[up]/([\w-]{39})(?![\w-])", re.ASCII)
_MESSAGE_ID = re.compile(r"<c(\d{1,10})\.s(\d{1,10})\.([0-9a-f]{12})@([A-Za-z0-9.-]{1,255})>")
_TOKEN_FIELDS = ("x-feedback-token", "cfbl-feedback-id", "list-unsubscribe")
_MAX_OF_EACH = 40
"""How many things that look like a mark are tried."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The campaigns that the marks of a mail name, most named first.

    ``are_in_headers`` if one of them stands where programs write, not people: whoever answers one of our
    mails quotes the others. ``is_test`` and ``is_preview`` if it has the code of a test or of a mail that was
    not sent. ``is_retired`` if a mark was made with a retired key.
    """

    campaign_ids: tuple[int, ...] = ()
    are_in_headers: bool = False
    is_test: bool = False
    is_preview: bool = False
    is_retired: bool = False

    def __bool__(self) -> bool:
        return bool(self.campaign_ids) or self.is_test


Reading = Callable[[], TokenPayload]
"""Verifies one mark, or raises TokenError."""


def find_marks(session: Session, keys: Keys, part: MimePart, text: str) -> Marks:
    """Find our marks in the headers of ``part`` and in ``text``, which is everything that it says."""
    signer = keys.tokens.newest()
    found: dict[int, int] = {}
    is_retired = are_in_headers = False
    of_headers = [(read, True) for read in _list_header_readings(signer, part)]
    for read, is_header in (*of_headers, *((read, False) for read in _list_text_readings(signer, text))):
        try:
            payload = read()
            verify_campaign(session, payload)
        except RetiredKeyError:
            is_retired = True
        except TokenError:
            continue
        else:
            found[payload.campaign_id] = found.get(payload.campaign_id, 0) + 1
            are_in_headers = are_in_headers or is_header
    # A test's links and code belong to no campaign.
    is_test = found.pop(0, 0) > 0 or any(
        _is_test(signer, token) for token in _list_distinct(_LINK_TOKEN.findall(text))
    )
    return Marks(
        campaign_ids=tuple(sorted(found, key=lambda number: -found[number])),
        are_in_headers=are_in_headers,
        is_test=is_test,
        is_preview=PREVIEW_CODE in text,
        is_retired=is_retired,
    )


def _list_header_readings(signer: TokenSigner, part: MimePart) -> Iterator[Reading]:
    fields = " ".join(part.headers.raw(name) for name in _TOKEN_FIELDS)
    for token in _list_distinct(_MAIL_TOKEN.findall(fields)):
        for purpose in (LinkPurpose.bounce, LinkPurpose.leave):
            yield partial(signer.read_mail, token, purpose)
    for token in _list_distinct(_LINK_TOKEN.findall(fields)):
        yield partial(signer.read, token, LinkPurpose.subscription)
    if match := _MESSAGE_ID.search(part.headers.raw("message-id")):
        yield partial(_read_message_id, signer, match)


def _list_text_readings(signer: TokenSigner, text: str) -> Iterator[Reading]:
    for code in _list_distinct(_CODE.findall(text)):
        yield partial(signer.read_code, code)
    for token in _list_distinct(_LINK_TOKEN.findall(text)):
        yield partial(signer.read, token, LinkPurpose.subscription)


def _list_distinct(found: Iterable[str]) -> Iterator[str]:
    return islice(dict.fromkeys(found), _MAX_OF_EACH)


def _read_message_id(signer: TokenSigner, match: re.Match[str]) -> TokenPayload:
    """Verify a Message-ID by making it again. It is made with the oldest key."""
    if min(signer.keys) in signer.retired:
        raise RetiredKeyError
    campaign_id, subscriber_id = int(match[1]), int(match[2])
    ours = message_id(campaign_id, subscriber_id, match[4], signer)
    if not hmac.compare_digest(ours.encode(), match[0].encode()):
        raise TokenError
    return TokenPayload(subscriber_id=subscriber_id, campaign_id=campaign_id)


def _is_test(signer: TokenSigner, token: str) -> bool:
    try:
        return signer.is_test(token)
    except TokenError:
        return False

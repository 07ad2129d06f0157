"""How `mailer doctor` recognises this workspace's pages at the public address.

The doctor sends a signed question in a header, and the pages answer with a signed description of where the
question came from. Only somebody with the workspace's keys can ask, so nobody else learns what the proxies
are, and only the workspace's own pages can answer.
"""

import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

from subscribers.consent.suppression import SuppressionKey

QUESTION_HEADER = "x-mailer-question"
_VALID_SECONDS = 300
_NONCE_BYTES = 12


@dataclass(frozen=True, kw_only=True)
class RequestOrigin:
    """Where the pages saw a request come from: the ``peer`` that connected, the ``forwarded`` addresses in
    its header, and the ``client`` that the pages took for the visitor.
    """

    peer: str
    client: str
    forwarded: tuple[str, ...]


def sign_question(key: SuppressionKey, now: datetime) -> str:
    """Make a question that is valid for some minutes."""
    words = f"{int(now.timestamp())}.{secrets.token_hex(_NONCE_BYTES)}"
    return f"{words}.{_sign(key, 'question', words)}"


def is_question(key: SuppressionKey, text: str, now: datetime) -> bool:
    """Return whether this workspace's doctor has asked this, not long ago."""
    words, _, signature = text.rpartition(".")
    if not text.isascii() or not hmac.compare_digest(signature, _sign(key, "question", words)):
        return False
    return abs(int(words.partition(".")[0]) - now.timestamp()) <= _VALID_SECONDS


def sign_answer(key: SuppressionKey, question: str, origin: RequestOrigin) -> str:
    """Make the answer to ``question``, as JSON."""
    return json.dumps({**asdict(origin), "signature": _sign(key, "answer", question, _flatten(origin))})


def read_answer(key: SuppressionKey, question: str, text: str) -> RequestOrigin | None:
    """Read the answer to ``question``; None if it is not from this workspace's pages."""
    try:
        values = json.loads(text)
        origin = RequestOrigin(
            peer=str(values["peer"]),
            client=str(values["client"]),
            forwarded=tuple(str(entry) for entry in values["forwarded"]),
        )
        signature = str(values["signature"])
    except (ValueError, KeyError, TypeError):
        return None
    expected = _sign(key, "answer", question, _flatten(origin))
    return origin if hmac.compare_digest(signature.encode(), expected.encode()) else None


def _flatten(origin: RequestOrigin) -> str:
    return "\0".join((origin.peer, origin.client, *origin.forwarded))


def _sign(key: SuppressionKey, *words: str) -> str:
    return hmac.digest(key.key, "\0".join(("site", *words)).encode(), "sha256").hex()

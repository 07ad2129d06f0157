"""Amazon SNS, which carries the events of SES.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html

Anybody with an account at Amazon has topics of their own, whose messages have genuine signatures. So only
topics that are in the settings count, before anything is fetched, and the certificate comes from SNS itself
in the topic's own region. Any other host under amazonaws.com, such as that of a bucket, may be a stranger's.
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from cachetools import TTLCache

from mailer.feedback.webhooks.request import (
    ForgedRequestError,
    MalformedRequestError,
    UnverifiableRequestError,
    WebhookRequest,
    parse_json,
)
from mailer.public_http import AddressRule, ForbiddenAddressError, is_public, open_public_client
from mailer.settings.feedback import TOPIC_ARN

Fetch = Callable[[str], bytes]
"""Returns what is at an https address. Raises OSError if it cannot be had."""
Signed = Mapping[str, str]
"""The fields of a message, exactly as they came, because they are signed."""

_CERTIFICATE_PATH = re.compile(r"/[A-Za-z0-9_.-]{1,200}\.pem")
_CERTIFICATES, _CERTIFICATE_SECONDS = 16, 24 * 3600
_FAILURES, _FAILURE_SECONDS = 8, 60
_WAIT_SECONDS = 5
# In the order in which SNS signs them.
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
    "UnsubscribeConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
_SECONDS = 5.0
_MOST_BYTES = 64 * 1024


def find_host(topic: str) -> str | None:
    """Return the host of SNS in the region of ``topic``; None if that is not the ARN of a topic."""
    match = TOPIC_ARN.fullmatch(topic)
    if match is None:
        return None
    return f"sns.{match['region']}.amazonaws.com{'.cn' if match['partition'] == 'aws-cn' else ''}"


def read_message(request: WebhookRequest) -> Signed:
    """Return the fields of the message in a request that are text. Raise MalformedRequestError if it is not a
    message of SNS.
    """
    parsed = parse_json(request.body)
    fields = parsed.items() if isinstance(parsed, dict) else ()
    message = {str(name): value for name, value in fields if isinstance(value, str)}
    if message.get("Type") not in _SIGNED:
        raise MalformedRequestError("not a message of SNS")
    return message


class SnsVerifier:
    """Verifies messages of ``topics``, and confirms subscriptions to them.

    It keeps certificates for a day. For a minute it also remembers those that could not be had, and asks for
    no others while there are many, so that nobody can make us ask Amazon again and again.
    """

    def __init__(self, topics: Collection[str], fetch: Fetch) -> None:
        self._topics = frozenset(topics)
        self._fetch = fetch
        self._keys: TTLCache[str, Any] = TTLCache(_CERTIFICATES, _CERTIFICATE_SECONDS)
        self._failures: TTLCache[str, str] = TTLCache(_FAILURES, _FAILURE_SECONDS)
        self._lock, self._fetching = Lock(), Lock()

    def check(self, request: WebhookRequest) -> None:
        """Check a request. Raise ForgedRequestError if it is of another topic, or its signature is wrong,
        MalformedRequestError if it is not a message of SNS, and UnverifiableRequestError if the certificate
        cannot be had.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        message = read_message(request)
        version = message.get("SignatureVersion")
        # Amazon signs with SHA-1 unless the topic says otherwise; docs/webhooks.md tells how.
        algorithm = {"1": SHA1(), "2": SHA256()}.get(version or "")  # noqa: S303
        if message.get("TopicArn") not in self._topics or algorithm is None:
            raise ForgedRequestError("another topic")
        try:
            signature = base64.b64decode(message.get("Signature", ""), validate=True)
            key = self._find_key(message, request.received_at)
            key.verify(signature, _join_signed(message), PKCS1v15(), algorithm)
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise ForgedRequestError("a wrong signature") from error

    def confirm(self, message: Signed) -> None:
        """Confirm the subscription to the topic of a verified ``message``. Raise ForgedRequestError if its
        address is not that of a confirmation at SNS, and UnverifiableRequestError if SNS does not answer.
        """
        url = message.get("SubscribeURL", "")
        parts = self._split_own_url(url, message)
        asked = parse_qs(parts.query)
        if asked.get("Action") != ["ConfirmSubscription"] or asked.get("TopicArn") != [message["TopicArn"]]:
            raise ForgedRequestError("another address")
        try:
            self._fetch(url)
        except OSError as error:
            raise UnverifiableRequestError(f"the subscription cannot be confirmed: {error}") from error

    def _find_key(self, message: Signed, now: datetime) -> Any:
        url = message.get("SigningCertURL", "")
        parts = self._split_own_url(url, message)
        if parts.query or not _CERTIFICATE_PATH.fullmatch(parts.path):
            raise ForgedRequestError("another certificate")
        known = self._find_known(url)
        if known is not None:
            return known
        # The first of a burst fetches it for all.
        if not self._fetching.acquire(timeout=_WAIT_SECONDS):
            raise UnverifiableRequestError(f"the certificate {url} takes too long to fetch")
        try:
            return self._find_known(url) or self._fetch_key(url, now)
        finally:
            self._fetching.release()

    def _find_known(self, url: str) -> Any:
        with self._lock:
            if url not in self._keys and (url in self._failures or len(self._failures) == _FAILURES):
                raise UnverifiableRequestError(
                    self._failures.get(url, "too many certificates cannot be used")
                )
            return self._keys.get(url)

    def _fetch_key(self, url: str, now: datetime) -> Any:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.x509 import load_pem_x509_certificate

        try:
            certificate = load_pem_x509_certificate(self._fetch(url))
            key = certificate.public_key()
            if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
                raise ValueError("it is not valid today")
            if not isinstance(key, RSAPublicKey):
                raise ValueError("it has no RSA key")
        except (OSError, ValueError) as error:
            words = f"the certificate {url} cannot be used: {error}"
            with self._lock:
                self._failures[url] = words
            raise UnverifiableRequestError(words) from error
        with self._lock:
            self._keys[url] = key
        return key

    @staticmethod
    def _split_own_url(url: str, message: Signed) -> SplitResult:
        """Return the parts of an address of SNS in the topic's region; https and the standard port only."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ForgedRequestError("another address") from error
        if parts.scheme != "https" or parts.netloc != find_host(message["TopicArn"]) or parts.fragment:
            raise ForgedRequestError("another address")
        return parts


def _join_signed(message: Signed) -> bytes:
    names = _SIGNED[message["Type"]]
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message).encode()


def fetch_from_amazon(url: str, *, is_allowed: AddressRule = is_public) -> bytes:
    """Return what is at ``url``, without following redirects: they could lead to anybody. Raise OSError if it
    cannot be had, or is larger than any certificate.
    """
    import httpx2

    try:
        with (
            open_public_client(is_allowed, timeout=_SECONDS, user_agent="partner-mailer") as client,
            client.stream("GET", url, follow_redirects=False) as answer,
        ):
            if answer.status_code != 200:
                raise OSError(f"the answer was {answer.status_code}")
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise OSError("the answer is too large")
            return body
    except (httpx2.HTTPError, httpx2.InvalidURL, ForbiddenAddressError) as error:
        raise OSError(str(error) or type(error).__name__) from error

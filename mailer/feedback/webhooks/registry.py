"""The webhooks that the settings name: how each checks a request, and reads its events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from locales.phrase import read_error
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks import brevo, generic, mailgun, mailjet, postmark, sendgrid, ses
from mailer.feedback.webhooks.request import (
    ForgedRequestError,
    MalformedRequestError,
    UnverifiableRequestError,
    WebhookRequest,
    check_authorization,
    list_objects,
    parse_json,
    read_secret,
)
from mailer.feedback.webhooks.sns import Fetch, SnsVerifier, fetch_from_amazon
from mailer.settings import FeedbackSettings, SecretWebhookSettings
from mailer.settings.feedback import WebhooksSettings

_Check = Callable[[WebhookRequest], None]
_Read = Callable[[WebhookRequest], Iterable[ProviderEvent]]
_ReadEvent = Callable[[dict[str, Any]], Iterable[ProviderEvent]]


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """The webhook of one provider, at ``/hooks/NAME``. ``asks_for_secret`` says whether a request without
    the secret is told to show one (HTTP 401), rather than refused.
    """

    name: str
    asks_for_secret: bool = False
    _check: _Check
    _read: _Read

    def read_events(self, request: WebhookRequest) -> tuple[ProviderEvent, ...]:
        """Check who sent ``request``, and read its events, in their order. Raise ForgedRequestError,
        MalformedRequestError or UnverifiableRequestError.
        """
        try:
            self._check(request)
        except MalformedRequestError as error:
            # Some have their signature in the body; where nothing can be read, there is none.
            raise ForgedRequestError("no signature") from error
        return tuple(self._read(request))


def open_webhooks(
    settings: FeedbackSettings, root: Path, *, fetch: Fetch = fetch_from_amazon
) -> tuple[Webhook, ...]:
    """Return the webhooks of ``[feedback.webhooks]``. The files of secrets are under ``root``."""
    return tuple(_list_webhooks(settings.webhooks, root, fetch))


def _list_webhooks(named: WebhooksSettings, root: Path, fetch: Fetch) -> Iterator[Webhook]:
    if named.ses is not None:
        verifier = SnsVerifier(named.ses.topics, fetch)
        read = partial(ses.read_request, verifier=verifier)
        yield Webhook(name=ses.NAME, _check=verifier.check, _read=read)
    if named.mailgun is not None:
        signature = mailgun.MailgunSignature(root / named.mailgun.secret_file)
        yield Webhook(name=mailgun.NAME, _check=signature.check, _read=mailgun.read_request)
    if named.sendgrid is not None:
        key = named.sendgrid.verification_key
        check = partial(sendgrid.check_signature, verification_key=key)
        yield Webhook(name=sendgrid.NAME, _check=check, _read=partial(_read_each, sendgrid.read_event))
    if named.generic is not None:
        path = root / named.generic.secret_file
        yield Webhook(
            name=generic.NAME,
            _check=lambda request: generic.check_signature(request, read_secret(path)),
            _read=generic.read_request,
        )
    unsigned: tuple[tuple[str, SecretWebhookSettings | None, _ReadEvent], ...] = (
        (postmark.NAME, named.postmark, postmark.read_event),
        (brevo.NAME, named.brevo, brevo.read_event),
        (mailjet.NAME, named.mailjet, mailjet.read_event),
    )
    for name, chosen, read_event in unsigned:
        if chosen is not None:
            check = partial(_check_secret, path=root / chosen.secret_file)
            read = partial(_read_each, read_event)
            yield Webhook(name=name, asks_for_secret=True, _check=check, _read=read)


def _check_secret(request: WebhookRequest, path: Path) -> None:
    check_authorization(request, read_secret(path))


def _read_each(read_event: _ReadEvent, request: WebhookRequest) -> Iterator[ProviderEvent]:
    for said in list_objects(parse_json(request.body)):
        yield from read_event(said)


def find_faults(settings: FeedbackSettings, root: Path) -> Mapping[str, str]:
    """Return what keeps webhooks from working, by their names: secrets that cannot be used."""
    faults = {}
    for name, path in settings.webhooks.list_secret_files().items():
        try:
            secret = read_secret(root / path)
            if name == generic.NAME:
                generic.decode_secret(secret)
        except UnverifiableRequestError as error:
            faults[name] = read_error(error)
    return faults

"""The headers that bring a message's bounce token back: our own, and those that providers repeat in their
events.

Providers return what they are told in a header of their own, not any header. docs/webhooks.md names the field
of the event in which each comes back; :mod:`mailer.feedback.webhooks` reads it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.settings.webhooks import WebhooksSettings

_OWN = "X-Feedback-Token: {}\r\n"
_OF_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "postmark": "X-PM-Metadata-feedback-token: {}\r\n",
        "mailgun": 'X-Mailgun-Variables: {{"feedback_token": "{}"}}\r\n',
        "sendgrid": 'X-SMTPAPI: {{"unique_args": {{"feedback_token": "{}"}}}}\r\n',
        "brevo": "X-Mailin-custom: {}\r\n",
        "mailjet": "X-MJ-CustomID: {}\r\n",
    }
)
# A NUL is in no header.
_PLACE = "\0"


def split_token_headers(webhooks: WebhooksSettings) -> tuple[str, ...]:
    """The headers, cut where the token stands: ``token.join(...)`` writes them for one message."""
    templates = [_OWN, *(_OF_PROVIDERS[name] for name in webhooks.list_names() if name in _OF_PROVIDERS)]
    return tuple("".join(template.format(_PLACE) for template in templates).split(_PLACE))

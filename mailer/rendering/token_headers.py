"""The headers that bring a message's bounce token back: our own, those that providers repeat in their events,
and those by which any provider can report a complaint (RFC 9477).

Providers return what they are told in a header of their own, not any header. docs/webhooks.md names the field
of the event in which each comes back; :mod:`mailer.feedback.webhooks` reads it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.settings import FeedbackSettings

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
# RFC 9477, section 3.6. The token is hard to forge, as its section 6.2 asks, and the report may leave out all
# other headers.
_OF_COMPLAINTS = "CFBL-Address: {}; report=arf\r\nCFBL-Feedback-ID: {}\r\n"
# A NUL is in no header.
_PLACE = "\0"


def split_token_headers(feedback: FeedbackSettings) -> tuple[str, ...]:
    """The headers, cut where the token stands: ``token.join(...)`` writes them for one message."""
    providers = feedback.webhooks.list_names()
    headers = [_OWN, *(_OF_PROVIDERS[name] for name in providers if name in _OF_PROVIDERS)]
    written = [template.format(_PLACE) for template in headers]
    if feedback.complaint_address:
        written.append(_OF_COMPLAINTS.format(feedback.complaint_address, _PLACE))
    return tuple("".join(written).split(_PLACE))

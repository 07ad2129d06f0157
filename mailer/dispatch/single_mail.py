"""Send one mail to a relay, outside any campaign, through the same transports as campaigns."""

from datetime import datetime
from pathlib import Path

from mailer.dispatch.direct_send import send_mails
from mailer.dispatch.dkim_signer import load_signer
from mailer.rendering.message import envelope_sender
from mailer.settings import Settings
from mailer.smtp.interfaces import OutgoingMessage, apply_dot_stuffing
from mailer.smtp.reply_classifier import Outcome


def send_mail(settings: Settings, root: Path, *, recipient: str, message: bytes) -> Outcome:
    """Send ``message`` to the first relay that accepts it, by priority, and return how that ended.

    The caller has recorded, durably, that it is being sent.

    Raises:
        ConfigurationError: a relay's address or password cannot be used.
        MessageFormatError: a line of the message does not end in CRLF.
    """
    mail = OutgoingMessage(
        key=recipient,
        sender=envelope_sender(settings.sender),
        recipient=recipient,
        payload=apply_dot_stuffing(message),
    )
    return send_mails(settings.smtp, root, [mail])[mail.key].outcome


def sign_and_send_mail(
    settings: Settings, root: Path, *, recipient: str, message: bytes, now: datetime
) -> Outcome:
    """Sign ``message`` with the keys of ``[dkim]``, if there are any, and send it as :func:`send_mail` does.

    Raises:
        ConfigurationError: a relay's address or password, or a key, cannot be used.
        MessageFormatError: a line of the message does not end in CRLF.
    """
    signer = load_signer(settings, root)
    signed = message if signer is None else signer.sign(message, now=now)
    return send_mail(settings, root, recipient=recipient, message=signed)

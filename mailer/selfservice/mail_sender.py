"""Send one transactional mail to a relay, through the same transports as campaigns."""

from pathlib import Path

from mailer.dispatch.direct_send import send_mails
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

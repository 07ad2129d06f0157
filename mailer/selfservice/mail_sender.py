"""Send one transactional mail to a relay, through the same transports as campaigns."""

from pathlib import Path

from mailer.dispatch.relay_settings import list_relays, make_transport, merge_relay_settings
from mailer.rendering.message import envelope_sender
from mailer.settings import Settings
from mailer.smtp.interfaces import OutgoingMessage, apply_dot_stuffing
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from mailer.smtp.send import send_messages

_FINAL_VERDICTS = frozenset({Verdict.sent, Verdict.rejected, Verdict.in_doubt})
"""After these no other relay is tried: it accepted the mail, knows that the address is dead, or may have
accepted it."""


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
    outcome = Outcome(verdict=Verdict.give_back, stage=Stage.connect, text="no relay is configured")
    for relay in sorted(list_relays(settings.smtp), key=lambda relay: relay.priority):
        transport = make_transport(merge_relay_settings(settings.smtp, relay), root)
        outcome = send_messages(transport, [mail])[mail.key]
        if outcome.verdict in _FINAL_VERDICTS:
            break
    return outcome

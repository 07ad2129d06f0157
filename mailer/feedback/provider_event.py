"""What a provider's webhook reports: the frozen value between reading its JSON and acting on it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from mailer.feedback.incoming_message import IncomingMessage


@dataclass(frozen=True, kw_only=True)
class ProviderEvent:
    """One thing that happened to one message to one person, as a mail provider's webhook reports it.

    ``provider`` is the name of its table under ``[feedback.webhooks]``, such as ``ses``. ``event_id`` is the
    provider's own for this event and recipient; where it has none, it is made of what the event says, so that
    the same event has the same one when it comes again. ``message`` says the same as a mail would: a bounce
    (``action`` is ``delayed`` while the provider goes on trying), a complaint, or leaving the list; it has
    one recipient. ``happened_at`` is in UTC, None if the provider does not say.
    """

    provider: str
    event_id: str
    message: IncomingMessage
    happened_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """What makes the event the same when it comes again: a sha256 in hexadecimal, as a mail has."""
        named = f"{self.provider}\0{self.event_id}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(named).hexdigest()

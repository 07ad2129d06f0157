"""Send a few mails at once, without the ledger, to the relays of the settings."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NamedTuple

from mailer.dispatch.relay_settings import list_relays, make_transport, merge_relay_settings
from mailer.settings import SmtpSettings
from mailer.smtp.interfaces import OutgoingMessage, send_messages
from mailer.smtp.reply_classifier import Outcome, Verdict

_FINAL_VERDICTS = frozenset({Verdict.sent, Verdict.rejected, Verdict.in_doubt})
"""After these no other relay is tried: it accepted the mail, knows that the address is dead, or may have
accepted it."""


class RelayOutcome(NamedTuple):
    """How sending one mail ended, and the name of the last relay that was tried."""

    relay: str
    outcome: Outcome


def send_mails(
    smtp: SmtpSettings, root: Path, mails: Sequence[OutgoingMessage]
) -> dict[Hashable, RelayOutcome]:
    """Send each of ``mails`` to the first relay that accepts it, by priority; return how that ended, by key.

    Each relay gets all mails that are left over one connection, and over another if it takes only some of
    them at a time.

    Raises:
        ConfigurationError: a relay's address or password cannot be used.
    """
    results: dict[Hashable, RelayOutcome] = {}
    waiting = list(mails)
    for relay in sorted(list_relays(smtp), key=lambda relay: relay.priority):
        transport = make_transport(merge_relay_settings(smtp, relay), root, name=relay.name)
        offered = waiting
        while offered:
            outcomes = send_messages(transport, offered)
            results |= {key: RelayOutcome(relay.name, outcome) for key, outcome in outcomes.items()}
            given_back = [mail for mail in offered if outcomes[mail.key].verdict is Verdict.give_back]
            offered = given_back if len(given_back) < len(offered) else []
        waiting = [mail for mail in waiting if results[mail.key].outcome.verdict not in _FINAL_VERDICTS]
    return results

"""Where the bounces of each message of a campaign go."""

from collections.abc import Callable
from typing import NamedTuple

from mailer.dispatch.deliveries.claims import Claim
from mailer.rendering.message import envelope_sender
from mailer.rendering.return_addresses import split_address
from mailer.settings import Settings


class ReturnPath(NamedTuple):
    """The envelope ``sender`` of one message, and the ``envelope_id`` that a server's report repeats; "" for
    none."""

    sender: str
    envelope_id: str = ""


def make_return_path_finder(
    settings: Settings, find_token: Callable[[Claim], str] | None
) -> Callable[[Claim], ReturnPath]:
    """Return a function that finds the return path for a claim.

    With ``find_token`` and ``[feedback] bounce_address`` each message has an address of its own (VERP), so
    that a bounce tells whose it is, whatever else it says. Without the address, only the envelope id does.

    Raises:
        ConfigurationError: the sender's address cannot be used.
    """
    plain = ReturnPath(envelope_sender(settings.sender))
    if find_token is None:
        return lambda _: plain
    if not settings.feedback.bounce_address:
        return lambda claim: ReturnPath(plain.sender, find_token(claim))
    before, after = split_address(settings.feedback.bounce_address, settings.feedback.delimiter)

    def find(claim: Claim) -> ReturnPath:
        token = find_token(claim)
        return ReturnPath(f"{before}{token}{after}", token)

    return find

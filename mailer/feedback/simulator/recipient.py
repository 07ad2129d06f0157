"""Who lives at the simulator, and what each does with a mail."""

from enum import StrEnum

DOMAIN = "simulator.example"
"""A name that nobody can own (RFC 2606), so that no mail to it ever leaves by mistake."""


class SimulatedRecipient(StrEnum):
    """A recipient of the simulator, named as the part of its address before the @."""

    accept = "accept"
    """Takes the mail. Nothing comes back."""

    reject = "reject"
    """Is refused at once: there is no such user."""

    bounce = "bounce"
    """Takes the mail, and returns it: there is no such user."""

    full = "full"
    """Takes the mail, and returns it: the mailbox is full."""

    defer = "defer"
    """Is refused for now the first time (greylisting), and accepted the next."""

    silent = "silent"
    """Takes the mail and hangs up without saying so. A person's reply proves that it arrived."""

    complain = "complain"
    """Takes the mail, and reports it as spam."""

    answer = "answer"
    """Takes the mail, and a person replies to it."""

    away = "away"
    """Takes the mail, and an out-of-office note names a successor."""

    leave = "leave"
    """Takes the mail, and leaves the list by mail, without a subject."""

    @property
    def address(self) -> str:
        """The address of this recipient."""
        return f"{self.value}@{DOMAIN}"


def is_simulated(address: str) -> bool:
    """Whether ``address`` is at the simulator's domain."""
    return address.rpartition("@")[2].lower() == DOMAIN


def find_recipient(address: str) -> SimulatedRecipient:
    """Who lives at ``address``: ``full@…`` and ``NAME+full@…`` are the same; anybody else accepts.

    >>> find_recipient("Ann+Full@simulator.example").value
    'full'
    """
    if not is_simulated(address):
        return SimulatedRecipient.accept
    name = address.rpartition("@")[0].rpartition("+")[2].lower()
    return next((known for known in SimulatedRecipient if known == name), SimulatedRecipient.accept)

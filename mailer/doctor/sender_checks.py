"""Checks of the sender: that it is somebody, and not the example."""

from collections.abc import Iterator

from mailer.campaigns.audiences.compliance import find_missing_identity
from mailer.campaigns.example_sender import find_example_sender
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.workspace import Workspace

_RESERVED = (
    "example",
    "invalid",
    "localhost",
    "test",
    "example.com",
    "example.net",
    "example.org",
)
"""Domains that are nobody's (RFC 2606, RFC 6761)."""


def check_sender(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check who the mail is from."""
    settings = workspace.settings
    if fault := find_missing_identity(settings):
        yield find_bad("sender", "sender-incomplete", fault)
        return
    if fault := find_example_sender(settings):
        yield find_bad("sender", "sender-sample", fault)
        return
    address = settings.sender.address
    if is_reserved_domain(settings.sender.domain):
        message = f"{address} is only an example. Set [sender] address to your own address."
        yield find_doubtful("sender", "sender-example", message)
    else:
        yield find_good("sender", address)


def is_reserved_domain(domain: str) -> bool:
    """Whether a domain is one of those kept for examples, or below one."""
    domain = domain.casefold().rstrip(".")
    return any(domain == reserved or domain.endswith(f".{reserved}") for reserved in _RESERVED)

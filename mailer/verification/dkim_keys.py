"""The public keys of our own signatures: those of our key files, else those in the DNS."""

from collections.abc import Callable
from pathlib import Path

from mailer.dispatch.sending_settings import load_signer
from mailer.dns import make_resolver
from mailer.errors import ConfigurationError
from mailer.rendering.message import sender_address
from mailer.settings import Settings
from mailer.smtp.dkim_verifier import KeyFinder, KeyLookupError, is_aligned

_MAX_LOOKUPS = 4
"""So many names are asked for one mail. A genuine one has one or two signatures of ours."""


def make_key_finder(settings: Settings, root: Path) -> KeyFinder:
    """A key finder for one mail, which asks the DNS for what is not in our own key files."""
    own = _read_own_keys(settings, root)
    budget = [_MAX_LOOKUPS]

    def find(name: str) -> str | None:
        if name in own:
            return own[name]
        budget[0] -= 1
        if budget[0] < 0:
            raise KeyLookupError
        return look_up_key(settings, name)

    return find


def make_domain_filter(settings: Settings) -> Callable[[str], bool]:
    """Whether a signature by a domain can be ours. No other domain's DNS is asked."""
    ours = {read_own_address(settings).rpartition("@")[2], settings.dkim.domain} - {""}
    return lambda domain: any(is_aligned(domain, one) for one in ours)


def read_own_address(settings: Settings) -> str:
    """The sender's address as it stands in our mails: with its domain in ASCII, in small letters."""
    try:
        return sender_address(settings.sender.address).lower()
    except ConfigurationError:
        # Nothing can be sent from it, so nothing is compared with it that counts.
        return settings.sender.address.lower()


def look_up_key(settings: Settings, name: str) -> str | None:
    """Ask the DNS for a key; None if there is none.

    Raises:
        KeyLookupError: there was no answer.
    """
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    try:
        answer = make_resolver(settings.dns).resolve(name, "TXT")
    except (NXDOMAIN, NoAnswer):
        return None
    except (DNSException, ValueError) as error:
        raise KeyLookupError from error
    texts = (b"".join(record.strings).decode("latin-1") for record in answer)
    return next((text for text in texts if "p=" in text), None)


def _read_own_keys(settings: Settings, root: Path) -> dict[str, str]:
    try:
        signer = load_signer(settings, root)
    except ConfigurationError:
        # The doctor says what is wrong with the key. The DNS has its public half all the same.
        return {}
    return {record.name: record.text for record in signer.records} if signer else {}

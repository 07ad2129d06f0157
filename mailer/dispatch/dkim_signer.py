"""Load the DKIM keys that ``[dkim]`` sets."""

import re
from pathlib import Path

from locales.phrase import Phrase, gettext_noop
from mailer.errors import ConfigurationError
from mailer.settings import Settings
from mailer.smtp.dkim import DkimSigner, SigningKey, load_ed25519_key, load_rsa_key
from mailer.smtp.interfaces import DkimKeyError
from subscribers.address import normalise_address
from subscribers.errors import AddressError

_SELECTOR = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


def load_signer(settings: Settings, root: Path) -> DkimSigner | None:
    """Return the signer for ``[dkim]``, or None if no key is set. Key files are under ``root``.

    Raises:
        ConfigurationError: a key cannot be read or is of the wrong kind, or its selector is missing.
    """
    dkim = settings.dkim
    selectors = {}
    if dkim.key_file is not None:
        selectors["selector"] = dkim.selector
    if dkim.ed25519_key_file is not None:
        selectors["ed25519_selector"] = dkim.ed25519_selector
    if not selectors:
        return None
    _check_selectors(selectors)
    domain = _find_domain(settings)
    keys: list[SigningKey] = []
    # RSA first, because every receiver knows it.
    try:
        setting = "key_file"
        if dkim.key_file is not None:
            keys.append(load_rsa_key(root / dkim.key_file, selector=dkim.selector, domain=domain))
        setting = "ed25519_key_file"
        if dkim.ed25519_key_file is not None:
            path = root / dkim.ed25519_key_file
            keys.append(load_ed25519_key(path, selector=dkim.ed25519_selector, domain=domain))
    except DkimKeyError as error:
        raise ConfigurationError(f"[dkim] {setting}: {error}") from error
    return DkimSigner(keys)


def _check_selectors(selectors: dict[str, str]) -> None:
    for setting, selector in selectors.items():
        if not selector:
            raise ConfigurationError(
                Phrase(
                    gettext_noop(
                        "[dkim] %(setting)s is missing, but its key is set. Set the selector to the part "
                        "of the DNS record's name before ._domainkey, such as news1."
                    ),
                    setting=setting,
                )
            )
        if not _SELECTOR.fullmatch(selector):
            raise ConfigurationError(
                Phrase(
                    gettext_noop(
                        "[dkim] %(setting)s = %(selector)s cannot be part of a DNS name. Use letters, "
                        "digits and hyphens, such as news1."
                    ),
                    setting=setting,
                    selector=f"{selector!r}",
                )
            )
    if len({selector.lower() for selector in selectors.values()}) < len(selectors):
        raise ConfigurationError(
            gettext_noop(
                "[dkim] selector and ed25519_selector are the same, but a DNS record holds only one "
                "key. Give each key its own selector."
            )
        )


def _find_domain(settings: Settings) -> str:
    """Return the domain that signs, in ASCII."""
    domain = settings.dkim.domain or settings.sender.domain
    try:
        return normalise_address(f"postmaster@{domain}").envelope.rpartition("@")[2]
    except AddressError as error:
        raise ConfigurationError(
            Phrase(
                gettext_noop(
                    "[dkim] domain = %(domain)s is invalid: %(reason)s. Use the domain of the sender's "
                    "address."
                ),
                domain=f"{domain!r}",
                reason=error.reason,
            )
        ) from error

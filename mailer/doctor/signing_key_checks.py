"""Checks of the DKIM keys on this machine; whether they are published, the DNS says."""

import stat
from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop, read_error
from mailer.dispatch.sending_settings import load_signer
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_good
from mailer.errors import ConfigurationError
from mailer.workspace import Workspace


def check_signing_keys(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check the DKIM keys, and show the DNS records they need."""
    dkim = workspace.settings.dkim
    try:
        signer = load_signer(workspace.settings, workspace.root)
    except ConfigurationError as error:
        yield find_bad("dkim", "dkim-key-unusable", read_error(error))
        return
    if signer is None:
        words = (
            Phrase(
                gettext_noop("no DKIM key is set, so the relay signs with %(selector)s"),
                selector=dkim.selector,
            )
            if dkim.selector
            else gettext_noop("no DKIM key is set, so the relay signs or nobody does")
        )
        yield find_good("dkim", words)
        return
    for name in (dkim.key_file, dkim.ed25519_key_file):
        if name and stat.S_IMODE((workspace.root / name).stat().st_mode) & 0o077:
            message = Phrase(
                gettext_noop("other users can read %(name)s. Run: chmod 600 %(name)s"), name=name
            )
            yield find_bad("dkim", "dkim-key-exposed", message)
    for record in signer.records:
        message = Phrase(
            gettext_noop("the signing key works. The DNS must have its record at %(record)s"),
            record=record.name,
        )
        yield find_good("dkim", message, record=record.zone_line)

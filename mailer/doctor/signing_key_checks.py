"""Checks of the DKIM keys on this machine; whether they are published, the DNS says."""

import stat
from collections.abc import Iterator

from mailer.dispatch.dkim_signer import load_signer
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_good
from mailer.errors import ConfigurationError
from mailer.workspace import Workspace


def check_signing_keys(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check the DKIM keys, and show the DNS records they need."""
    dkim = workspace.settings.dkim
    try:
        signer = load_signer(workspace.settings, workspace.root)
    except ConfigurationError as error:
        yield find_bad("dkim", "dkim-key-unusable", str(error))
        return
    if signer is None:
        signs = f"the relay signs with {dkim.selector}" if dkim.selector else "the relay signs or nobody does"
        yield find_good("dkim", f"no DKIM key is set, so {signs}")
        return
    for name in (dkim.key_file, dkim.ed25519_key_file):
        if name and stat.S_IMODE((workspace.root / name).stat().st_mode) & 0o077:
            message = f"other users can read {name}. Run: chmod 600 {name}"
            yield find_bad("dkim", "dkim-key-exposed", message)
    for record in signer.records:
        message = f"the signing key works. The DNS must have its record at {record.name}"
        yield find_good("dkim", message, record=record.zone_line)

"""Checks of the sign-ins by OAuth: is somebody signed in, and for how long yet?"""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import MappingProxyType

from locales.phrase import read_error
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.errors import ConfigurationError
from mailer.oauth.health import SignInState, check_sign_ins
from mailer.workspace import Workspace

_CODES = MappingProxyType(
    {
        SignInState.missing: "sign-in-missing",
        SignInState.ended: "sign-in-ended",
        SignInState.ends_soon: "sign-in-ends-soon",
        SignInState.application_ended: "client-secret-ended",
        SignInState.application_ends_soon: "client-secret-ends-soon",
    }
)
_SOON = frozenset({SignInState.ends_soon, SignInState.application_ends_soon})


def check_sign_in(workspace: Workspace) -> Iterator[Diagnosis]:
    """Look at each sign-in. The checks of relays and mailbox have used them before, and renewed tokens."""
    try:
        findings = tuple(check_sign_ins(workspace.settings, workspace.root, now=datetime.now(UTC)))
    except ConfigurationError as error:
        yield find_bad("sign-in", "sign-in-missing", read_error(error))
        return
    for finding in findings:
        subject = f"sign-in {finding.name}"
        if finding.state is SignInState.working:
            yield find_good(subject, finding.message)
        elif finding.state in _SOON:
            yield find_doubtful(subject, _CODES[finding.state], finding.message)
        else:
            yield find_bad(subject, _CODES[finding.state], finding.message)

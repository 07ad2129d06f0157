"""Checks of the system the mailer runs on."""

from collections.abc import Iterator

from locales.phrase import gettext_noop
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.rendering.message import names_survive_folding
from mailer.rendering.worker.confinement import describe_confinement
from mailer.workspace import Workspace


def check_templates(_: Workspace) -> Iterator[Diagnosis]:
    """Say what this system holds a template to that escapes from its sandbox."""
    is_complete, message = describe_confinement()
    if is_complete:
        yield find_good("templates", message)
    else:
        yield find_doubtful("templates", "templates-unconfined", message)


def check_python(_: Workspace) -> Iterator[Diagnosis]:
    """Check that this Python does not have the bug that adds addresses to headers."""
    if names_survive_folding():
        yield find_good("python", gettext_noop("this Python writes long names in headers correctly"))
        return
    message = gettext_noop(
        "this Python has a bug: a long name in a header can add a second address. Use a newer Python release."
    )
    yield find_bad("python", "python-header-bug", message)

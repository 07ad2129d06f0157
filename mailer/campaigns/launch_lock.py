"""One launch at a time: the transaction in which an edition is approved, scheduled or launched."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection, Engine

from locales.phrase import Phrase
from mailer.campaigns.edition_lock import acquire_launch_lock
from mailer.campaigns.plan import Plan
from mailer.campaigns.recipients import find_missing_identity
from mailer.errors import MailerError
from mailer.rendering.compiled_edition import write_media
from mailer.settings import Settings
from mailer.workspace import Workspace


class LaunchRefusedError(MailerError):
    """The campaign was not launched; nothing was written to the database."""


def check_launchable(settings: Settings, plan: Plan) -> None:
    """Raise LaunchRefusedError if a plan could not be launched at all: the edition has errors, the sender is
    not the workspace's own, or the web pages are not reachable by https."""
    if not settings.web.supports_one_click:
        raise LaunchRefusedError(
            Phrase(
                "[web] base_url is %(base_url)s, but one-click unsubscribe requires https (RFC 8058 "
                "§3.1). Set it to the public https address of `mailer serve`.",
                base_url=settings.web.base_url,
            )
        )
    if fault := find_missing_identity(settings):
        raise LaunchRefusedError(fault)
    if plan.launch_problems:
        complaints = "\n".join(str(problem) for problem in plan.launch_problems)
        raise LaunchRefusedError(
            Phrase(
                "%(edition)s cannot be sent yet, and was not.\n%(complaints)s",
                edition=plan.edition,
                complaints=complaints,
            )
        )
    if plan.errors or not plan.compiled:
        complaints = "\n".join(str(problem) for problem in plan.errors)
        raise LaunchRefusedError(
            Phrase(
                "%(edition)s has errors, so it was not sent. Fix them; `mailer check %(edition)s` lists "
                "them all.\n%(complaints)s",
                edition=plan.edition,
                complaints=complaints,
            )
        )


@contextlib.contextmanager
def launch_lock(engine: Engine, workspace: Workspace, plan: Plan) -> Iterator[Connection]:
    """Open a transaction that only one launch of an edition can hold at a time, once :func:`check_launchable`
    has passed. Pictures are stored before anything is written to the database."""
    check_launchable(workspace.settings, plan)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with engine.begin() as connection:
        acquire_launch_lock(connection, plan.edition)
        yield connection

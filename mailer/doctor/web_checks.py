"""Checks of the web pages: their address, and whether readers reach it."""

from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.public_address import check_public_address
from mailer.network import parse_listen_address
from mailer.workspace import Workspace


def check_web(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check the address that readers' links begin with."""
    web = workspace.settings.web
    if not web.supports_one_click:
        advice = gettext_noop(
            "%(address)s: one-click unsubscribe requires https (RFC 8058). Set [web] base_url to an https "
            "address."
        )
        yield find_bad("web", "web-not-https", Phrase(advice, address=web.base_url))
    elif web.base_url.startswith("http://"):
        advice = gettext_noop(
            "%(address)s: only this machine can open this address. Set [web] base_url before you send to "
            "real readers."
        )
        yield find_doubtful("web", "web-on-this-machine", Phrase(advice, address=web.base_url))
    else:
        yield find_good(
            "web",
            Phrase(
                gettext_noop("%(base_url)s: https, as one-click unsubscribe requires"), base_url=web.base_url
            ),
        )
    if web.base_url.startswith("https://") and not web.accessibility_contact:
        sender = workspace.settings.sender
        message = Phrase(
            gettext_noop(
                "readers report barriers to %(reply_to)s, as /accessibility says. For another address "
                "or a form, set [web] accessibility_contact."
            ),
            reply_to=sender.reply_to or sender.address,
        )
        yield find_good("accessibility", message)


def check_public_pages(workspace: Workspace) -> Iterator[Diagnosis]:
    """Ask the public address as a reader would, and look where the metrics are."""
    metrics = workspace.settings.web.metrics
    if metrics and parse_listen_address(metrics).is_everywhere:
        message = Phrase(
            gettext_noop(
                "[web] metrics = %(metrics)s is open to everybody who reaches this machine. Name one "
                "address of an internal network, or 127.0.0.1."
            ),
            metrics=metrics,
        )
        yield find_doubtful("metrics", "metrics-open", message)
    yield from check_public_address(workspace)

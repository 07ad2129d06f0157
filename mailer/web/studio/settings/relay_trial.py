"""Trying a relay: connecting as for sending, and a test mail to oneself."""

import secrets

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.dispatch.sending_settings import make_smtp_options, merge_relay_settings
from mailer.dispatch.waiting_mails import sign_and_send_mail
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.selfservice.transactional_mails import MailText, build_letter
from mailer.settings import RelaySettings
from mailer.smtp.interfaces import SmtpError
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import probe_server
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.relay_pages import make_relay_form, open_relay
from mailer.web.studio.settings.settings_save import find_workspace
from mailer.web.studio.sign_in.confirmation import require_confirmed

_TEXT = MailText(
    subject=gettext_noop("A test of the relay"),
    body=gettext_noop("This mail was sent over the relay %(relay)s, to see whether it arrives."),
    button=gettext_noop("Open the relay"),
    after=gettext_noop("You asked for it in Studio. Nobody else got it."),
)


def try_relay(page: PageDep, relay: str) -> Response:
    """Connect to a relay as for sending, and show what it answered. Nothing is sent."""
    found = open_relay(page, relay)
    require_confirmed(page)
    _record(page, relay)
    workspace = find_workspace(page)
    merged = merge_relay_settings(workspace.settings.smtp, found)
    try:
        probe = probe_server(make_smtp_options(merged, workspace.root, name=relay))
    except (SmtpError, ConfigurationError, ValueError) as error:
        return _show(page, found, refusal=str(error))
    return _show(page, found, probe=probe)


def send_test_mail(page: PageDep, relay: str) -> Response:
    """Send the member a mail over this relay alone."""
    found = open_relay(page, relay)
    require_confirmed(page)
    _record(page, relay)
    workspace, now = find_workspace(page), page.state.clock()
    smtp = workspace.settings.smtp
    alone = smtp.model_copy(update={"relays": (found,) if smtp.relays else ()})
    try:
        message = build_letter(
            _TEXT,
            "studio-relay-test",
            envelope=page.member.email,
            url=f"{page.state.address}/settings/relays/{relay}",
            translator=page.translator,
            settings=workspace.settings,
            mail_id=secrets.randbelow(10**9),
            requested_at=now,
            now=now,
            values={"relay": relay},
        )
        settings = workspace.settings.model_copy(update={"smtp": alone})
        outcome = sign_and_send_mail(
            settings, workspace.root, recipient=page.member.email, message=message, now=now
        )
    except (MailerError, ConfigurationError, SmtpError, ValueError) as error:
        return _show(page, found, refusal=str(error))
    if outcome.verdict is not Verdict.sent:
        return _show(page, found, refusal=outcome.reason)
    return _show(page, found, sent=page.member.email)


def _record(page: StudioPage, relay: str) -> None:
    with page.state.write_session() as session:
        record_activity(session, page.actor, Act.tried_relay, subject=relay, now=page.state.clock())


def _show(page: StudioPage, relay: RelaySettings, **found: object) -> Response:
    return make_relay_form(page, relay, found).open()

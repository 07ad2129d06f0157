"""The mails with links to Studio, in the language of who gets them."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from mailer.database.sign_in_models import SignInLinkPurpose
from mailer.i18n import Translator, gettext_noop
from mailer.selfservice.transactional_mails import MailText, build_letter
from mailer.settings import Settings

_INVITED = gettext_noop(
    "You are invited to work on the newsletter from %(organisation)s. It is written and checked in Studio, "
    "the team's own pages."
)
_INVITED_BY = gettext_noop(
    "%(inviter)s invites you to work on the newsletter from %(organisation)s. It is written and checked in "
    "Studio, the team's own pages."
)
_TEXTS: Mapping[SignInLinkPurpose, MailText] = MappingProxyType(
    {
        SignInLinkPurpose.sign_in: MailText(
            subject=gettext_noop("Sign in to Studio"),
            body=gettext_noop("You asked for a link to sign in to the newsletter's Studio."),
            button=gettext_noop("Sign in"),
            after=gettext_noop(
                "Open it within 15 minutes, in the browser in which you asked for it. It works once. If you "
                "did not ask, ignore this email: without it, nobody can sign in as you."
            ),
        ),
        SignInLinkPurpose.invitation: MailText(
            subject=gettext_noop("You are invited to Studio"),
            body=_INVITED,
            button=gettext_noop("Open Studio"),
            after=gettext_noop(
                "The link works once, within seven days. After that, you sign in with this email address."
            ),
        ),
    }
)


def build_sign_in_letter(
    purpose: SignInLinkPurpose,
    *,
    envelope: str,
    url: str,
    translator: Translator,
    settings: Settings,
    mail_id: int,
    requested_at: datetime,
    now: datetime,
    inviter: str = "",
) -> bytes:
    """Build the mail with a link to Studio, as bytes for SMTP. ``inviter`` is who invites, "" if unknown.

    Raises:
        ConfigurationError: the sender's address cannot be used.
    """
    text = _TEXTS[purpose]
    if purpose is SignInLinkPurpose.invitation and inviter:
        text = MailText(subject=text.subject, body=_INVITED_BY, button=text.button, after=text.after)
    return build_letter(
        text,
        f"studio-{purpose.value.replace('_', '-')}",
        envelope=envelope,
        url=url,
        translator=translator,
        settings=settings,
        mail_id=mail_id,
        requested_at=requested_at,
        now=now,
        values={"inviter": inviter},
    )

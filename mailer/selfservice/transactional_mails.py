"""Letters: mails to one person, with a button, in their language, as bytes for SMTP.

Those that readers request on a page contain nothing that a visitor typed, so a form filled in with someone
else's address cannot be used to send them a text.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from quopri import encodestring
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailer.database.models import TransactionalMailKind
from mailer.dispatch.waiting_mails import QueueRun
from mailer.i18n import SOURCE_LANGUAGE, Translator, gettext_noop, load_translator, match_language
from mailer.rendering.headers import format_mailbox, format_text, write_header, write_letter_id
from mailer.rendering.message import sender_address
from mailer.rendering.template_context.page_builder import embed_sender_text
from mailer.settings import SenderSettings, Settings
from subscribers.address import normalise_address
from templates import ROOT

_QUOTED_LENGTH = 300
_TEMPLATE_FOLDER = ROOT / "web" / "transactional_mails"
_IGNORE_IF_NOT_YOU = gettext_noop("If this was not you, ignore this email. Nothing has changed.")
_VALID_FOR_AN_HOUR = gettext_noop(
    "The link works once and expires after an hour. If you did not ask for it, "
    "ignore this email. Nothing has changed."
)
_OPEN_PREFERENCES = gettext_noop("Open my preferences")
_OPEN_PAGE = gettext_noop("Open the page")
_CONFIRM = gettext_noop("Confirm")


@dataclass(frozen=True, kw_only=True)
class MailText:
    """The texts of one kind of transactional mail: subject, body, button, and the note below it."""

    subject: str
    body: str
    button: str
    after: str


MAIL_TEXTS: Mapping[TransactionalMailKind, MailText] = MappingProxyType(
    {
        TransactionalMailKind.confirm: MailText(
            subject=gettext_noop("Please confirm your subscription"),
            body=gettext_noop(
                "Someone, probably you, asked to get the newsletter from %(organisation)s at this address."
            ),
            button=_CONFIRM,
            after=gettext_noop(
                "The link works for three days. If this was not you, ignore this email. We will "
                "send nothing else."
            ),
        ),
        TransactionalMailKind.already: MailText(
            subject=gettext_noop("You are already subscribed"),
            body=gettext_noop(
                "Someone, probably you, asked to get the newsletter from %(organisation)s. It "
                "already goes to this address."
            ),
            button=_OPEN_PREFERENCES,
            after=_IGNORE_IF_NOT_YOU,
        ),
        TransactionalMailKind.link: MailText(
            subject=gettext_noop("The link to your preferences"),
            body=gettext_noop(
                "You asked for the link to your preferences. There you can choose what you get, take a "
                "break, or unsubscribe."
            ),
            button=_OPEN_PREFERENCES,
            after=_IGNORE_IF_NOT_YOU,
        ),
        TransactionalMailKind.export: MailText(
            subject=gettext_noop("The link to a copy of your data"),
            body=gettext_noop("You asked for a copy of all the data we hold about you."),
            button=_OPEN_PAGE,
            after=_VALID_FOR_AN_HOUR,
        ),
        TransactionalMailKind.erase: MailText(
            subject=gettext_noop("The link to erase your data"),
            body=gettext_noop("You asked to have your data erased."),
            button=_OPEN_PAGE,
            after=_VALID_FOR_AN_HOUR,
        ),
        TransactionalMailKind.address: MailText(
            subject=gettext_noop("The link to change your address"),
            body=gettext_noop("You asked to change the address your newsletter goes to."),
            button=_OPEN_PAGE,
            after=_VALID_FOR_AN_HOUR,
        ),
        TransactionalMailKind.new_address: MailText(
            subject=gettext_noop("Please confirm your new address"),
            body=gettext_noop(
                "Someone, probably you, would like to get the newsletter from %(organisation)s "
                "at this address."
            ),
            button=_CONFIRM,
            after=_VALID_FOR_AN_HOUR,
        ),
    }
)


def quote_words(words: str) -> str:
    """Return what a letter quotes of a text: its beginning, on one line."""
    line = " ".join(words.split())
    return line if len(line) <= _QUOTED_LENGTH else f"{line[: _QUOTED_LENGTH - 1]}…"


@dataclass(frozen=True, kw_only=True)
class WaitingLetter:
    """A letter that waits to be sent to ``email``; see :func:`build_letter`. ``languages`` are its reader's,
    the first that we have is taken."""

    text: MailText
    kind: str
    email: str
    url: str
    languages: tuple[str, ...]
    requested_at: datetime
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def envelope(self) -> str:
        # Not before the letter is claimed: an address that is not valid any more must not hold up the others.
        return normalise_address(self.email).envelope

    def build(self, run: QueueRun, number: int, now: datetime) -> bytes:
        return build_letter(
            self.text,
            self.kind,
            envelope=self.envelope,
            url=self.url,
            translator=load_translator(match_language(self.languages) or SOURCE_LANGUAGE),
            settings=run.workspace.settings,
            mail_id=number,
            requested_at=self.requested_at,
            now=now,
            values=self.values,
        )


def build_letter(
    text: MailText,
    kind: str,
    *,
    envelope: str,
    url: str,
    translator: Translator,
    settings: Settings,
    mail_id: int,
    requested_at: datetime,
    now: datetime,
    values: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Build the mail of ``text`` to ``envelope`` whose button leads to ``url``: text and HTML, with CRLF line
    ends. ``kind`` is its name in the Feedback-ID, and ``values`` is what ``text`` mentions beside the
    organisation. Raise ConfigurationError if the sender's address cannot be used.

    All of it is ASCII, except for a local part that is not. The Message-ID follows from ``mail_id``, the id
    of its row, and the time of the request: every attempt carries the same one, and no other mail does.
    (SQLite may give a deleted row's id to a new one, and the link to somebody's preferences never changes.)
    """
    sender = settings.sender
    subject = translator.translate(text.subject)
    own = sender_address(sender.address)
    boundary = (
        f"=_{hashlib.sha256(f'{mail_id} {requested_at.isoformat()} {kind} {url}'.encode()).hexdigest()[:32]}"
    )
    headers = (
        ("From", format_mailbox(sender.name, own)),
        ("Reply-To", sender_address(sender.reply_to) if sender.reply_to else ""),
        ("Subject", format_text(subject)),
        ("Date", format_datetime(now.replace(microsecond=0))),
        ("Message-ID", f"<l{mail_id}.{boundary[2:14]}@{own.rpartition('@')[2]}>"),
        ("Feedback-ID", write_letter_id(kind, own.rpartition("@")[2])),
        ("MIME-Version", "1.0"),
        # RFC 3834: an automatic reply, which no out-of-office notice should answer.
        ("Auto-Submitted", "auto-replied"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", translator.tag),
        ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
    )
    head = "".join(write_header(name, value) for name, value in headers if value)
    parts = [
        _write_part(
            f"--{boundary}",
            subtype,
            _jinja_env(subtype)
            .get_template(f"mail.{ending}")
            .render(
                _template_values(text, translator, sender, subtype, values), url=url, translator=translator
            ),
        )
        for subtype, ending in (("plain", "txt"), ("html", "html"))
    ]
    to = f"To: {envelope}\r\n"
    return (head + to + "\r\n" + "".join(parts) + f"--{boundary}--\r\n").encode()


def _template_values(
    text: MailText, translator: Translator, sender: SenderSettings, subtype: str, values: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the values for a mail's template; HTML marks the language of the sender's own words."""
    own = {
        "sender_name": sender.name,
        "organisation": sender.organisation,
        "postal_address": sender.postal_address,
    }
    texts = vars(text).items()
    if subtype == "plain":
        return own | {
            name: translator.translate(words, organisation=sender.organisation, **values)
            for name, words in texts
        }
    marked = {name: embed_sender_text(words, sender, translator.tag) for name, words in own.items()}
    return marked | {
        name: translator.translate_html(words, organisation=marked["organisation"], **values)
        for name, words in texts
    }


def _write_part(boundary: str, subtype: str, text: str) -> str:
    encoded = encodestring(text.strip().encode(), quotetabs=False).decode("ascii").replace("\n", "\r\n")
    kind = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n'
    return f"{boundary}\r\n{kind}\r\n{encoded}\r\n"


@cache
def _jinja_env(subtype: str) -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATE_FOLDER),
        autoescape=subtype == "html",  # noqa: S701 - the other is plain text
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )

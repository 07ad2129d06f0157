"""Mails that people submit to /verify: ours, ours as programs pass them on, changed ones and fakes."""

import quopri
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine
from sqlmodel import Session, select, update

from editions.reader import read_edition
from mailer.database.models import Campaign
from mailer.dispatch.sending_settings import load_signer
from mailer.rendering.compiled_edition import CompiledEdition, write_media
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import reader_for
from mailer.rendering.message import MessageBuilder
from mailer.settings import DkimSettings, DnsSettings, load_settings
from mailer.smtp.dkim import DkimSigner
from mailer.verification.answer import MailVerdict
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from tests.conftest import SETTINGS
from tests.factories.dkim import to_pem
from tests.factories.draft_edition import Draft
from tests.web.site import add_sent

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SUBJECT = "What we did this autumn"
OURS = frozenset({MailVerdict.genuine, MailVerdict.same_content})
NAMES = (
    *("", "Li Wei", "Ms Bat-Erdene", "Prof. Dr. Wolfgang Müller-Lüdenscheidt", "李伟", "Aigerim K."),
    *("Jean-François d’Alembert", "김민준", "O’Neill, Sinéad (Ministry of Education)"),
)

_STORY = """\
---
title: {title}
sector: {sector}
countries: [CN]
---

{text}
"""
_STORIES = {
    "school-meals": (
        "School meals reach the mountains",
        "education",
        "Forty schools in the mountains now cook every day with what farmers nearby have grown. A child who "
        "has eaten learns better, and parents who plant for the kitchen have a buyer. The ministry wants "
        "two hundred more schools to join within three years, beginning in the driest valleys.",
    ),
    "old-theatre": (
        "An old theatre opens again",
        "culture",
        "After nine years of work the theatre by the river has its roof, its stage and its painted curtain "
        "again. Carpenters from four countries shared what they knew of joints that hold without a nail. "
        "The first play was written by pupils, and the tickets were gone in an hour.",
    ),
    "clean-river": (
        "Who looks after the river",
        "sciences",
        "Volunteers measure the water at sixty places each month and put what they find on a map that "
        "anybody can read. Where the numbers are bad, the town now asks the factory before the newspaper "
        "does. See [the map](https://rivers.example.net/map?year=2021) for the last twelve months.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A mail to submit: how it came about, and the answers that are right."""

    kind: str
    source: bytes
    right: frozenset[MailVerdict]


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A workspace that has sent an edition to readers, and what builds their messages again."""

    workspace: Workspace
    engine: Engine
    builder: MessageBuilder
    signer: DkimSigner
    campaign_id: int

    def build(self, number: int, *, signed: bool = True, name: str | None = None) -> bytes:
        """The message of reader ``number``, signed as it went to the relay."""
        reader = reader_for(
            self.make_subscriber(number, name), self.campaign_id, self.workspace.settings, self.tokens
        )
        message = self.builder.build(reader, now=NOW)
        return self.signer.sign(message, now=NOW) if signed else message

    def make_subscriber(self, number: int, name: str | None = None) -> Subscriber:
        email = f"reader{number}@readers.example.net"
        shown = NAMES[number % len(NAMES)] if name is None else name
        return Subscriber(id=number, email=email, envelope=email, name=shown, created_at=NOW, updated_at=NOW)

    @property
    def tokens(self):
        return self.workspace.keys.tokens

    def write_code(self, number: int) -> str:
        return self.tokens.sign_code(subscriber_id=number, campaign_id=self.campaign_id)


def make_sender(workspace: Workspace, engine: Engine) -> Sender:
    """Send a small edition from ``workspace``, whose DNS answers nothing."""
    (workspace.root / "dkim.pem").write_bytes(to_pem(Ed25519PrivateKey.generate()))
    (workspace.root / "dkim.pem").chmod(0o600)
    settings = workspace.settings.model_copy(
        update={
            "dkim": DkimSettings(ed25519_key_file=Path("dkim.pem"), ed25519_selector="news1"),
            "dns": DnsSettings(resolver="127.0.0.1:9", timeout=0.1),
            "web": workspace.settings.web.model_copy(update={"base_url": "https://news.example.org"}),
        }
    )
    workspace = replace(workspace, settings=settings)
    mail = _compile(settings.sender.address)
    write_media(mail, workspace.media)
    add_sent(engine, [mail])
    with Session(engine) as session:
        session.execute(update(Campaign).values(subject=mail.subject, finished_at=NOW + timedelta(days=1)))
        session.commit()
        campaign_id = session.exec(select(Campaign.id)).one()
    signer = load_signer(settings, workspace.root)
    assert signer is not None
    assert campaign_id is not None
    return Sender(
        workspace=workspace,
        engine=engine,
        builder=MessageBuilder([mail], settings),
        signer=signer,
        campaign_id=campaign_id,
    )


@cache
def _compile(address: str) -> CompiledEdition:
    """The edition as it is compiled for the settings of tests with this sender; it takes a second."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "mailer.toml").write_text(SETTINGS.replace("news@example.org", address), encoding="utf-8")
        settings = load_settings(root, {"MAILER_WEB__BASE_URL": "https://news.example.org"})
        draft = Draft(root / "2021-2")
        for place, (slug, (title, sector, text)) in enumerate(_STORIES.items(), 2):
            draft.write(f"stories/0{place}0-{slug}.md", _STORY.format(title=title, sector=sector, text=text))
        return compile_edition(read_edition(draft.folder, sectors=settings.sectors), settings)


# --- as programs pass a mail on -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parts:
    sender: str
    subject: str
    to: str
    text: str
    html: str


def _read(message: bytes) -> _Parts:
    parsed = message_from_bytes(message, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    text, html = (parsed.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    return _Parts(parsed["From"], parsed["Subject"], parsed["To"], text.get_content(), html.get_content())


def _compose(subject: str, text: str, html: str, *, encoding: str = "base64") -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = "A Colleague <colleague@ministry.example.com>"
    mail["To"] = "desk@ministry.example.com"
    mail["Subject"] = subject
    mail["Message-ID"] = "<abc123@ministry.example.com>"
    mail.set_content(text, cte=encoding)
    if html:
        mail.add_alternative(html, subtype="html", cte=encoding)
    return mail


def forward_by_gmail(message: bytes) -> bytes:
    parts = _read(message)
    about = f"From: {parts.sender}\nDate: Sun, 1 Mar 2026 at 17:00\nSubject: {parts.subject}\nTo: {parts.to}"
    body = re.search(r"<body.*?>(.*)</body>", parts.html, re.DOTALL)
    inner = re.sub(
        r'src="(https://news[^"]+)"',
        r'src="https://ci3.googleusercontent.com/meips/ADKq_Nb=s0-d-e1-ft#\1"',
        body[1] if body else parts.html,
    )
    marked = escape(about).replace("\n", "<br>")
    text = f"Have you seen this?\n\n---------- Forwarded message ---------\n{about}\n\n\n{parts.text}"
    html = (
        f'<div dir="ltr">Have you seen this?<br><br><div class="gmail_quote"><div class="gmail_attr">'
        f"---------- Forwarded message ---------<br>{marked}</div><br><br>{inner}</div></div>"
    )
    return _compose(f"Fwd: {parts.subject}", text, html, encoding="quoted-printable").as_bytes()


def forward_by_outlook(message: bytes) -> bytes:
    """With Microsoft's links, which lead through its own checks."""
    parts = _read(message)

    def wrap(match: re.Match[str]) -> str:
        inner = quote(match[1].replace("&amp;", "&"), safe="")
        return f'href="https://eur03.safelinks.protection.outlook.com/?url={inner}&amp;data=05%7C02&amp;reserved=0"'

    html = re.sub(r'href="(https?://[^"]+)"', wrap, parts.html)
    html = re.sub(r'src="https://news[^"]+"', 'src="cid:image001.jpg@01DB"', html)
    head = (
        '<p class="MsoNormal">FYI. Kind regards,<br>Sinéad, <a href="https://ministry.example.com">Ministry</a>'
        f"</p><div><b>From:</b> {escape(parts.sender)}<br><b>Sent:</b> Sunday, 1 March 2026 17:00<br>"
        f"<b>To:</b> {escape(parts.to)}<br><b>Subject:</b> {escape(parts.subject)}</div>"
    )
    html = html.replace("<body", '<body data-x="1"', 1)
    html = re.sub(r"(<body[^>]*>)", lambda match: match[1] + head, html, count=1)
    about = f"From: {parts.sender}\nSubject: {parts.subject}"
    text = f"FYI\n\n________________________________\n{about}\n\n{parts.text}"
    return _compose(f"FW: {parts.subject}", text, html).as_bytes()


def forward_by_apple(message: bytes) -> bytes:
    parts = _read(message)
    about = (
        f"From: {parts.sender}\nSubject: {parts.subject}\nDate: 1 March 2026 at 17:00:00 CET\nTo: {parts.to}"
    )
    quoted = "".join(f"> {line}\n" for line in f"{about}\n\n{parts.text}".split("\n"))
    html = (
        '<html><body style="overflow-wrap: break-word;"><br><div><br><blockquote type="cite"><div>Begin '
        f"forwarded message:</div><br>{escape(about)}<br><br><div>{parts.html}</div></blockquote></div>"
        "<br><div>Sent from my iPhone</div></body></html>"
    )
    return _compose(f"Fwd: {parts.subject}", f"\n\nBegin forwarded message:\n\n{quoted}", html).as_bytes()


def forward_as_text(message: bytes) -> bytes:
    """By a program that knows no HTML."""
    parts = _read(message)
    return _compose(f"Fwd: {parts.subject}", f"For you.\n\n{parts.text}", "").as_bytes()


def attach(message: bytes) -> bytes:
    mail = _compose(f"Fwd: {SUBJECT}", "See the attached message.\n", "")
    boundary = "=_outer"
    head = mail.as_bytes().partition(b"Content-Type")[0].decode()
    return (
        (
            f'{head}Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
            f"Content-Type: text/plain\r\n\r\nSee the attached message.\r\n--{boundary}\r\n"
            "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n"
        ).encode()
        + message
        + f"\r\n--{boundary}--\r\n".encode()
    )


def attach_as_file(message: bytes) -> bytes:
    """As a file of no particular kind, as some programs do."""
    boundary = "=_outer"
    encoded = re.sub("(.{76})", "\\1\r\n", b64encode(message).decode())
    return (
        "From: A Colleague <colleague@ministry.example.com>\r\nSubject: FW: newsletter\r\n"
        f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
        f"Content-Type: text/plain\r\n\r\nSee the file.\r\n--{boundary}\r\n"
        'Content-Type: application/octet-stream; name="What we did.eml"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
        f"{encoded}\r\n--{boundary}--\r\n"
    ).encode()


def receive(message: bytes) -> bytes:
    """As a mailbox has it that got it."""
    return (
        b"Delivered-To: reader@readers.example.net\r\n"
        b"Received: by mx.readers.example.net with SMTP id x1; Sun, 1 Mar 2026 09:00:03 +0000\r\n"
        b"Authentication-Results: mx.readers.example.net; dkim=pass header.d=example.org\r\n" + message
    )


def lose_signature(message: bytes) -> bytes:
    """As a list server leaves it, which folds headers again."""
    return re.sub(rb"^DKIM-Signature:.*?\r\n(?! )", b"", receive(message), flags=re.DOTALL | re.MULTILINE)


PASSED_ON: tuple[Callable[[bytes], bytes], ...] = (
    *(forward_by_gmail, forward_by_outlook, forward_by_apple, forward_as_text, attach, attach_as_file),
)


# --- changed mails and fakes --------------------------------------------------------------------------------


def _change_body(message: bytes, change: Callable[[str], str]) -> bytes:
    """Change the text of both parts."""
    head, gap, body = message.partition(b"\r\n\r\n")
    boundary = re.search(rb'boundary="([^"]+)"', head)
    assert boundary is not None
    pieces = body.split(b"--" + boundary[1])
    for place in (1, 2):
        part_head, part_gap, content = pieces[place].partition(b"\r\n\r\n")
        changed = change(quopri.decodestring(content).decode())
        encoded = quopri.encodestring(changed.encode()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        pieces[place] = part_head + part_gap + encoded
    return head + gap + (b"--" + boundary[1]).join(pieces)


def turn_links_away(message: bytes) -> bytes:
    return _change_body(
        message, lambda text: text.replace("https://example.org/forum", "https://login.evil.example/forum")
    )


def add_words(message: bytes) -> bytes:
    return _change_body(
        message,
        lambda text: text.replace("Carpenters", "Please transfer the fee of 400 euros by Friday. Carpenters"),
    )


def change_number(message: bytes) -> bytes:
    return _change_body(message, lambda text: text.replace("sixty places", "6000 places"))


def answer_elsewhere(message: bytes) -> bytes:
    return message.replace(b"\r\nSubject:", b"\r\nReply-To: news@evil.example\r\nSubject:", 1)


def change_subject(message: bytes) -> bytes:
    return message.replace(f"Subject: {SUBJECT}".encode(), b"Subject: Your invoice", 1)


def add_attachment(message: bytes) -> bytes:
    boundary = re.search(rb'boundary="([^"]+)"', message)
    assert boundary is not None
    end = b"--" + boundary[1] + b"--"
    part = (
        b"--" + boundary[1] + b'\r\nContent-Type: application/pdf; name="invoice.pdf"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n"
    )
    return message.replace(end, part + end)


ALTERED: tuple[Callable[[bytes], bytes], ...] = (
    *(turn_links_away, add_words, change_number, answer_elsewhere, change_subject, add_attachment),
    lambda message: forward_by_gmail(turn_links_away(message)),
    lambda message: forward_by_outlook(turn_links_away(message)),
    lambda message: forward_by_apple(add_words(message)),
    lambda message: attach(add_words(message)),
    lambda message: lose_signature(turn_links_away(message)),
)

_LURE = (
    "Your account at the ministry ends today. Confirm your password now, or your access to every service "
    "will be closed for good and your files deleted by the administrator without further notice to you."
)


def _write_fake(sender: str, text: str, link: str, foot: str = "") -> bytes:
    html = (
        f'<p>{text}</p><p><a href="{link}">Confirm</a></p><p>{foot}</p>' if link else f"<p>{text}</p>{foot}"
    )
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = sender
    mail["To"] = "reader@readers.example.net"
    mail["Subject"] = "Action required"
    mail["Message-ID"] = "<c1.s1.0123456789ab@example.org>"
    mail.set_content(f"{text}\n\n{link}\n\n{foot}\n")
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def list_fakes(sender: Sender, number: int) -> Iterator[tuple[str, bytes]]:
    """Mails that nobody of ours wrote, though some have our name, our address or a code of ours."""
    ours, code = "UNESCO Beijing <news@example.org>", sender.write_code(number)
    stranger = "UNESCO Beijing <news@examp1e-org.example>"
    link = "https://login.evil.example/"
    unsubscribe = re.search(rb"<(https://news.example.org/u/[^>]+)>", sender.build(number))
    assert unsubscribe is not None
    yield "our address", _write_fake(ours, _LURE, link)
    yield "our name", _write_fake(stranger, _LURE, link)
    yield "our code, our address", _write_fake(ours, _LURE, link, f"Check the code: {code}")
    yield "our code, a stranger's address", _write_fake(stranger, _LURE, link, f"Check the code: {code}")
    yield "our link to unsubscribe", _write_fake(ours, _LURE, unsubscribe[1].decode())
    yield "a code that we never gave", _write_fake(ours, _LURE, link, "Check the code: 7K3M-QX9P-2HWD-5T8R")
    forged = sender.build(number).partition(b"From:")[0]
    yield "our signature of another mail", forged + _write_fake(ours, _LURE, link)
    fake = _write_fake(ours, _LURE, link)
    wrapped = attach(sender.build(number)).replace(
        b"From: A Colleague <colleague@ministry.example.com>", b"From: UNESCO Beijing <news@example.org>"
    )
    yield "with a genuine one attached", wrapped.replace(b"See the attached message.", _LURE.encode())
    yield "inside another mail", attach(fake)
    userinfo = "https://news.example.org@login.evil.example/"
    yield "a link that looks like ours", _write_fake(ours, _LURE, userinfo, f"Check the code: {code}")


def list_submissions(sender: Sender, readers: range) -> Iterator[Submission]:
    """Every kind of mail for each of ``readers``: 1,000 of them for 33 readers."""
    for number in readers:
        message = sender.build(number)
        yield Submission(kind="as received", source=receive(message), right=frozenset({MailVerdict.genuine}))
        yield Submission(kind="with other line ends", source=message.replace(b"\r\n", b"\n"), right=OURS)
        yield Submission(kind="without signature", source=lose_signature(message), right=OURS)
        for forward in PASSED_ON:
            yield Submission(kind=forward.__name__, source=forward(message), right=OURS)
        for place, change in enumerate(ALTERED):
            kind = f"changed {place} {change.__name__}"
            yield Submission(kind=kind, source=change(message), right=frozenset({MailVerdict.altered}))
        for name, source in list_fakes(sender, number):
            right = frozenset({MailVerdict.copied, MailVerdict.foreign})
            yield Submission(kind=f"fake: {name}", source=source, right=right)

"""Hostile strings through all of it: import, segment, message, SMTP, the pages, export. They stay text."""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from unicodedata import normalize
from urllib.parse import urlencode

from sqlmodel import Session

from editions.reader import read_edition
from editions.unsafe_characters import find_unsafe_character
from mailer.campaigns.launch import launch
from mailer.campaigns.plan import plan_campaign
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.headers import plain_phrase
from mailer.rendering.mail_merge import Reader
from mailer.rendering.message import MessageBuilder
from mailer.smtp.interfaces import OutgoingMessage, apply_dot_stuffing
from mailer.smtp.transport import send_messages
from mailer.web.app import create_app
from mailer.workspace import Workspace
from subscribers.csv_format import COLUMNS, unescape_formula
from subscribers.errors import SegmentError
from subscribers.export import ExportFormat, export_subscribers
from subscribers.imports.importer import import_file
from subscribers.queries import count_subscribers, find_subscriber, list_subscriber_details
from subscribers.segments.segment import parse_segment
from subscribers.tokens import LinkPurpose
from tests.acceptance.campaign_driver import CampaignDriver
from tests.factories.draft_edition import Draft
from tests.factories.hostile_strings import ALL_HOSTILE, HOSTILE
from tests.factories.small_edition import SLUG, write_edition
from tests.servers.scripted_smtp import Mail, ScriptedServer
from tests.web.site import add_sent, opened_engine, send_request, served

HEADERS = (
    *("From", "To", "Subject", "Date", "Message-ID", "X-Feedback-Token", "Feedback-ID", "MIME-Version"),
    "List-Unsubscribe",
    *("List-Unsubscribe-Post", "List-Id", "List-Post", "Precedence", "X-Auto-Response-Suppress"),
    *("Content-Language", "Content-Type"),
)
OWN_PAGE = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
ACTIVE = re.compile(rb"<(script|iframe|svg|base|mj-raw)|<[^>]*[ /]on(error|load|focus)=3D", re.IGNORECASE)
"""What runs, in HTML encoded as quoted-printable."""

CLOSELY = frozenset(
    f"n{ALL_HOSTILE.index(text)}@example.org"
    for kind, texts in HOSTILE.items()
    for text in (texts[::2] if kind in {"scripts", "templates"} else texts[::9])
)
"""The readers whose mails are parsed whole and whose pages are looked at; of all others, the bytes are."""

BASIS = "Members of the network, who asked for it"


class ActiveContent(HTMLParser):
    """Finds what a browser or a mail program would run, load or send."""

    ELEMENTS = frozenset({"script", "iframe", "object", "embed", "svg", "base", "textarea", "mj-raw"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.ELEMENTS:
            self.found.append(tag)
        for name, value in attrs:
            link = (value or "").lower()
            is_script = re.match(r"\s*(javascript|vbscript|data:text)", link) is not None
            if name.startswith("on") or name == "autofocus" or is_script or "evil.example" in link:
                self.found.append(f"{tag} {name}={value}")
            if name == "value" and value:
                self.values.append(value)


def find_active(html: str) -> list[str]:
    parser = ActiveContent()
    # A value of a form's field is shown as it is, whatever is in it.
    parser.feed(re.sub(r' value="[^"]*"', "", html))
    return parser.found


def read_part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def hold_to_the_rules(mail: Mail, envelope: str) -> EmailMessage:
    """Hold a mail that a server received to its headers, its one recipient, and ASCII on short lines.

    Returns the headers alone: parsing a whole mail takes far longer than sending it.
    """
    data = mail.content
    assert data.isascii()
    assert b"\0" not in data
    assert ACTIVE.search(data.rpartition(b"Content-Type: text/html")[2]) is None
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head = BytesHeaderParser(EmailMessage, policy=policy.default).parsebytes(data.partition(b"\r\n\r\n")[0])
    assert tuple(head.keys()) == HEADERS
    assert [address.addr_spec for address in head["To"].addresses] == [envelope] == [mail.recipient]
    assert [address.addr_spec for address in head["From"].addresses] == ["news@example.org"]
    assert str(head["List-Unsubscribe"]).startswith("<http")
    return head


def parse(mail: Mail) -> EmailMessage:
    return message_from_bytes(mail.content, _class=EmailMessage, policy=policy.default)


def squeeze(text: str) -> str:
    return "".join(text.split())


# --- in the list --------------------------------------------------------------------------------------------


def test_hostile_details_of_readers_stay_text_from_the_import_to_the_export(
    workspace: Workspace, tmp_path: Path
) -> None:
    assert len(ALL_HOSTILE) > 500
    engine = workspace.open_database(durable=True)
    with Session(engine) as session:
        stored = take_in(workspace, session, tmp_path)
        names = {email: str(person["name"]) for email, person in stored.items()}
        find_by_tag(session, stored)
        export_and_take_in_again(workspace, session, tmp_path)
    server = send_to_all(workspace, engine)
    assert sorted(server.recipients) == sorted(email for email in stored if email.startswith("n"))
    for mail in server.kept:
        head = hold_to_the_rules(mail, mail.recipient)
        name = squeeze(plain_phrase(names[mail.recipient]))
        assert squeeze(head["To"].addresses[0].display_name) == name
        if mail.recipient in CLOSELY:
            message = parse(mail)
            assert name[:60] in squeeze(read_part(message, "plain"))
            assert find_active(read_part(message, "html")) == []
    show_preferences(workspace, engine, stored)
    engine.dispose()


def take_in(workspace: Workspace, session: Session, folder: Path) -> Mapping[str, Mapping[str, object]]:
    """Import every string as a name and organisation, and as a tag; return who is on the list after it."""
    path, settings = folder / "hostile.csv", workspace.settings
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, text in enumerate(ALL_HOSTILE):
            writer.writerow(
                {"email": f"n{number}@example.org", "name": text, "organisation": text, "country": "MN"}
            )
            writer.writerow({"email": f"t{number}@example.org", "tags": text})
    report = import_file(
        session,
        path,
        sectors=settings.sectors,
        key=workspace.keys.suppression,
        now=datetime.now(UTC),
        basis=BASIS,
    )
    session.commit()
    assert report.added + len(report.refused) == 2 * len(ALL_HOSTILE)
    assert all(refusal.reason.endswith(".") and refusal.reason.isprintable() for refusal in report.refused)
    stored = {
        str(person["email"]): person for person in list_subscriber_details(session, parse_segment("all"))
    }
    kept = [number for number in range(len(ALL_HOSTILE)) if f"n{number}@example.org" in stored]
    assert len(kept) > 500
    for number in kept:
        name = str(stored[f"n{number}@example.org"]["name"])
        assert squeeze(name) == squeeze(normalize("NFC", unescape_formula(ALL_HOSTILE[number])))
        assert find_unsafe_character(name) is None
        assert stored[f"n{number}@example.org"]["organisation"] == name
    return stored


def find_by_tag(session: Session, stored: Mapping[str, Mapping[str, object]]) -> None:
    """Every tag is found by a segment, but for those that nobody can see; the segment says so of them."""
    tags: dict[str, int] = {}
    for person in stored.values():
        for tag in person["tags"]:  # type: ignore[attr-defined]
            tags[tag] = tags.get(tag, 0) + 1
    assert len(tags) > 300
    found = 0
    for tag, number in tags.items():
        try:
            segment = parse_segment(f'tag:"{tag}"')
        except SegmentError as error:
            is_explained = "invisible character" in str(error) or not tag.strip()
        else:
            is_explained = number <= count_subscribers(session, segment) < len(stored)
            found += 1
        assert is_explained, tag
    assert found > len(tags) * 0.9
    assert count_subscribers(session, parse_segment("all")) == len(stored)


def export_and_take_in_again(workspace: Workspace, session: Session, folder: Path) -> None:
    stream = io.BytesIO()
    export_subscribers(session, parse_segment("all"), ExportFormat.csv, stream)
    path = folder / "exported.csv"
    path.write_bytes(stream.getvalue())
    for row in csv.reader(io.StringIO(stream.getvalue().decode("utf-8-sig"))):
        assert not any(cell[:1] in set("=+-@\t\r") for cell in row), row
    key, sectors = workspace.keys.suppression, workspace.settings.sectors
    report = import_file(session, path, sectors=sectors, key=key, now=datetime.now(UTC))
    session.rollback()
    assert (report.added, report.updated, len(report.refused)) == (0, 0, 0)


def send_to_all(workspace: Workspace, engine: object) -> ScriptedServer:
    write_edition(workspace.editions)
    driver = CampaignDriver(workspace=workspace, engine=engine, url="")  # type: ignore[arg-type]
    now = datetime.now(UTC)
    plan = plan_campaign(workspace, driver.engine, SLUG, parse_segment("country:MN"), now=now)
    assert launch(driver.engine, workspace, plan, now=now) == 1
    with ScriptedServer() as server:
        driver.url = server.url
        driver.send_here()
    driver.check(server.message_ids())
    return server


def show_preferences(
    workspace: Workspace, engine: object, stored: Mapping[str, Mapping[str, object]]
) -> None:
    """A few readers of each kind of string look at their preferences, and fill them in wrongly."""
    with Session(engine) as session:  # type: ignore[arg-type]
        ids = {email: find_subscriber(session, email).id or 0 for email in CLOSELY if email in stored}
    with served(create_app(workspace)) as running:
        for email, number in ids.items():
            name = stored[email]["name"]
            token = workspace.keys.tokens.sign(LinkPurpose.subscription, subscriber_id=number, campaign_id=1)
            # A forwarded link shows no name; a form with a mistake comes back with what was typed.
            body = urlencode({"name": name, "frequency": "pause", "until": "never"}).encode()
            shown = send_request(running.url, "GET", f"/p/{token}")
            refused = send_request(running.url, "POST", f"/p/{token}", body, OWN_PAGE)
            assert (shown.status, refused.status) == (200, 422)
            assert find_active(shown.text) == find_active(refused.text) == []
            parser = ActiveContent()
            parser.feed(refused.text)
            assert not name or name in parser.values


# --- in an edition ------------------------------------------------------------------------------------------


def escape_markdown(text: str) -> str:
    """As somebody writes what is not meant as Markdown: a backslash before every mark (CommonMark, 2.4)."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def slug(kind: str) -> str:
    return re.sub("[^a-z]+", "-", kind.lower())


def is_allowed(text: str) -> bool:
    """Whether an edition takes it: no control characters, and no sign of a place to fill in."""
    return find_unsafe_character(text) is None and "@@" not in text and bool(text.split())


def test_hostile_words_of_an_edition_stay_text_in_its_mail_and_on_the_shelf(
    workspace: Workspace, tmp_path: Path
) -> None:
    kinds = {kind: [text for text in texts if is_allowed(text)] for kind, texts in HOSTILE.items()}
    words = [" ".join(text.split()) for texts in kinds.values() for text in texts]
    assert len(words) > 500
    draft = Draft(workspace.editions / "2021-2")
    numbers, stories = count(), count(20)
    for kind, texts in kinds.items():
        title = next((text for text in texts if len(text) < 80), "plain")
        head = f"title: {json.dumps(f'{kind}: {title}', ensure_ascii=False)}\nsector: culture"
        lines = [f"w{next(numbers)}w {escape_markdown(' '.join(text.split()))} w" for text in texts]
        body = "\n\n".join(lines) or "Nothing."
        draft.write(f"stories/{next(stories):03}-{slug(kind)}.md", f"---\n{head}\n---\n\n{body}\n")
    mail = compile_edition(read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings)
    # A subject of each string, on one message each; the whole of the edition on the last.
    now = datetime.now(UTC)
    short = replace(mail, html="<p>@@unsubscribe_url@@</p>", text="@@unsubscribe_url@@\n", stories=())
    subjects = [*(text for text in ALL_HOSTILE if plain_phrase(text)), "last"]
    outgoing = []
    for number, subject in enumerate(subjects):
        content = mail if subject == "last" else short
        builder = MessageBuilder([replace(content, subject=subject)], workspace.settings)
        built = builder.build(make_reader(number), now=now)
        outgoing.append(
            OutgoingMessage(number, "news@example.org", "mei@example.org", apply_dot_stuffing(built))
        )
    with ScriptedServer() as server:
        for first in range(0, len(outgoing), 50):
            send_messages(server.client(tmp_path), outgoing[first : first + 50])
    assert len(server.kept) == len(subjects)
    for subject, received in zip(subjects, server.kept, strict=True):
        head = hold_to_the_rules(received, "mei@example.org")
        assert squeeze(str(head["Subject"])) == squeeze(plain_phrase(subject)), subject
    whole = parse(server.kept[-1])
    assert find_active(read_part(whole, "html")) == []
    plain = squeeze(read_part(whole, "plain"))
    for number, text in enumerate(words):
        assert f"w{number}w{squeeze(text)}w" in plain, text
    with opened_engine(workspace) as engine:
        add_sent(engine, [mail])
        with served(create_app(workspace)) as running:
            for path in ("/e/2021-2/en", "/e/", "/feed.json"):
                shown = send_request(running.url, "GET", path)
                assert shown.status == 200
                assert find_active(shown.text) == []


def make_reader(number: int) -> Reader:
    return Reader(
        subscriber_id=number,
        campaign_id=1,
        email="mei@example.org",
        envelope="mei@example.org",
        name="Mei",
        language="en",
        base_url="https://news.example.org",
        token="A" * 39,
        message_id=f"<c1.s{number}.5fbeae7c85f8@example.org>",
        bounce_token="0a" * 25,
    )

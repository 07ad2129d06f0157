"""The outbox of a preview, written and read as an inbox, and sample messages. Nothing leaves this machine."""

import bisect
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import default as modern_policy
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from editions.reader import read_edition
from mailer.atomic_write import write_atomically
from mailer.campaigns.plan import Plan
from mailer.campaigns.recipients import is_in_audience, load_reader
from mailer.database.engine import open_session
from mailer.database.schema import ensure_current
from mailer.errors import MailerError
from mailer.rendering.body.variants import choose_language
from mailer.rendering.compiled_edition import CompiledEdition, write_media
from mailer.rendering.edition_compiler import compile_edition, compile_mjml
from mailer.rendering.mail_merge import Reader, anonymous_reader, personalise
from mailer.rendering.message import MessageBuilder, build_message
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.queries import find_subscriber

_ENDING = ".eml"
_HEAD_BYTES = 16 * 1024
_MAX_BYTES = 20 * 1024 * 1024
_MAX_SEARCHED = 2000
"""In how many messages an address is looked for in the header; in more, by the names of the files alone."""
SHOWN_HEADERS = ("From", "To", "Subject", "Reply-To", "Date", "Message-ID", "List-Unsubscribe", "List-Id")


def render_sample(
    workspace: Workspace,
    slug: str,
    *,
    output_format: str,
    address: str | None,
    language: str | None,
    local_media: bool = False,
) -> bytes:
    """Render an edition as ``html``, ``text``, ``mjml`` or ``eml``, for one subscriber or for an unnamed
    reader.

    Its pictures are stored in the workspace's media folder. With ``local_media`` the page refers to them as
    ``../media/``, so that a file in the outbox shows them from disk. Raise EditionError, SubscriberError or
    TemplateError if it cannot be rendered.
    """
    edition = read_edition(workspace.edition_folder(slug), sectors=workspace.settings.sectors)
    reader = _load_reader_by_address(workspace, address) if address else anonymous_reader(workspace.settings)
    compiled = compile_edition(
        edition,
        workspace.settings,
        language=language or choose_language(reader.language, edition.languages),
        overrides=workspace.template_overrides,
    )
    write_media(compiled, workspace.media)
    match output_format:
        case "mjml":
            overrides = workspace.template_overrides
            mjml = compile_mjml(edition, workspace.settings, language=compiled.language, overrides=overrides)
            data = mjml.encode()
        case "eml":
            data = build_message(compiled, reader, workspace.settings, now=datetime.now(UTC))
        case _:
            mail = personalise(compiled, reader)
            data = (mail.text if output_format == "text" else mail.html).encode()
    if local_media:
        base = f"{workspace.settings.web.base_url}/media/".encode()
        data = data.replace(base, f"..{os.sep}media{os.sep}".encode())
    return data


def _load_reader_by_address(workspace: Workspace, address: str) -> Reader:
    with workspace.use_database() as engine:
        ensure_current(engine)
        with open_session(engine, read_only=True) as session:
            return load_reader(session, find_subscriber(session, address), workspace)


class NotInAudienceError(MailerError):
    """A message was requested for an address that would not get the edition."""

    def __init__(self, address: str, plan: Plan) -> None:
        self.address = address
        super().__init__(
            f"{address} would not get {plan.edition}. They are not in the segment {plan.segment_label!r}, "
            "get no mail at present, are held back by the law of their country, or already have the "
            f"edition. See `mailer subscribers show {address}`."
        )


def write_outbox(
    workspace: Workspace, engine: Engine, plan: Plan, *, addresses: Sequence[str], now: datetime
) -> list[Path]:
    """Write each variant of a plan as one of its readers would get it, and then the messages for
    ``addresses``, in place of files of the same name; return the files, complete messages (.eml). Beside each
    is a page for the browser (.html).

    They are built exactly as for a real campaign, except that their links belong to no campaign. Raise
    NotInAudienceError or SubscriberError for one of ``addresses`` who would not get the edition.
    """
    workspace.outbox.mkdir(mode=0o700, exist_ok=True)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with open_session(engine, read_only=True) as session:
        wanted = [
            *_find_samples(session, plan, workspace),
            *_find_requested(session, plan, workspace, addresses, now),
        ]
    builder = MessageBuilder(plan.compiled, workspace.settings) if plan.compiled else None
    files, media = [], f"{workspace.settings.web.base_url}/media/"
    for name, compiled, reader in wanted:
        assert builder is not None  # noqa: S101 - nothing is wanted of an edition that has no mail
        files.append(workspace.outbox / f"{name}.eml")
        write_atomically(files[-1], builder.build(reader, now=now), durable=False)
        page = personalise(compiled, reader).html.replace(media, "../media/")
        write_atomically(files[-1].with_suffix(".html"), page.encode(), durable=False)
    return files


_MessageToWrite: TypeAlias = tuple[str, CompiledEdition, Reader]


def _find_samples(session: Session, plan: Plan, workspace: Workspace) -> Iterator[_MessageToWrite]:
    """Yield the first reader of each variant, starting with the variant with the most readers."""
    alone = Counter(variant.language for variant in plan.variants)
    numbers: Counter[str] = Counter()
    for variant, cohort in plan.variants.items():
        compiled = plan.mail_in(variant.language)
        numbers[variant.language] += 1
        name = f"{plan.edition}.{variant.language}"
        if alone[variant.language] > 1:
            name += f".{numbers[variant.language]:02d}"
        subscriber = session.exec(select(Subscriber).where(col(Subscriber.id) == cohort.first_id)).one()
        yield name, compiled, load_reader(session, subscriber, workspace)


def _find_requested(
    session: Session, plan: Plan, workspace: Workspace, addresses: Sequence[str], now: datetime
) -> Iterator[_MessageToWrite]:
    law = workspace.settings.law
    audience = is_in_audience(plan.segment, plan.edition, now.date(), again=plan.again, law=law)
    for address in addresses if plan.compiled else ():
        known = find_subscriber(session, address)
        readers = select(Subscriber).where(audience, col(Subscriber.id) == known.id)
        subscriber = session.exec(readers).first()
        if subscriber is None:
            raise NotInAudienceError(address, plan)
        compiled = plan.mail_in(choose_language(subscriber.language, plan.languages))
        name = f"{plan.edition}.{_file_name(subscriber.email)}"
        yield name, compiled, load_reader(session, subscriber, workspace)


def _file_name(address: str) -> str:
    return re.sub(r"[^\w.@+-]", "_", address)


class NoMessageError(MailerError):
    """The outbox has no message with this name, or no longer."""


@dataclass(frozen=True, kw_only=True)
class OutboxEntry:
    """A message as the list shows it. ``name`` is that of its file; ``written_at`` is aware."""

    name: str
    subject: str
    to: str
    written_at: datetime
    size: int


@dataclass(frozen=True, kw_only=True)
class OutboxPage:
    """Some messages in the order of their names; after the name ``following``, the next page begins."""

    entries: Sequence[OutboxEntry]
    total: int
    following: str | None


@dataclass(frozen=True, kw_only=True)
class OutboxMessage:
    name: str
    headers: Sequence[tuple[str, str]]
    subject: str
    html: str
    text: str
    size: int


class OutboxReader:
    """Reads a folder of messages. The names are kept until the folder changes; thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._names: list[str] = []

    def list_page(self, *, after: str = "", query: str = "", limit: int = 50) -> OutboxPage:
        """Return the messages whose names come ``after`` a name, and that are about the address ``query``."""
        names = self._list_names()
        total = len(names)
        start = bisect.bisect_right(names, after) if after else 0
        found: list[OutboxEntry] = []
        for entry in self._match(names[start:], query.strip().lower(), total):
            if len(found) == limit:
                return OutboxPage(entries=found, total=total, following=found[-1].name)
            found.append(entry)
        return OutboxPage(entries=found, total=total, following=None)

    def read_message(self, name: str) -> OutboxMessage:
        """Return a message in its parts. Raise NoMessageError if there is none."""
        content = self.read_source(name)
        message = BytesParser(policy=modern_policy).parsebytes(content)
        assert isinstance(message, EmailMessage)  # noqa: S101 - what this policy makes
        return OutboxMessage(
            name=name,
            headers=[(header, str(message[header])) for header in SHOWN_HEADERS if message[header]],
            subject=str(message["Subject"] or ""),
            html=_read_body(message, "html"),
            text=_read_body(message, "plain"),
            size=len(content),
        )

    def read_source(self, name: str) -> bytes:
        """Return the bytes of a message. Raise NoMessageError if there is none."""
        names = self._list_names()
        place = bisect.bisect_left(names, name)
        if place == len(names) or names[place] != name:
            raise NoMessageError(f"There is no message {name} in the outbox.")
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(_MAX_BYTES)
        except OSError as error:
            raise NoMessageError(f"There is no message {name} in the outbox.") from error

    def _list_names(self) -> list[str]:
        """Return the names of the messages, sorted. The list is never changed, only replaced."""
        try:
            status = self._folder.stat()
        except OSError:
            return []
        stamp = (status.st_ino, status.st_mtime_ns)
        with self._lock:
            if stamp != self._stamp:
                with os.scandir(self._folder) as found:
                    self._names = sorted(one.name for one in found if _is_message(one))
                self._stamp = stamp
            return self._names

    def _match(self, names: Sequence[str], query: str, total: int) -> Iterator[OutboxEntry]:
        for name in names:
            is_named = query in name.lower()
            if query and not is_named and total > _MAX_SEARCHED:
                continue
            entry = self._read_entry(name)
            if entry is not None and (is_named or query in entry.to.lower()):
                yield entry

    def _read_entry(self, name: str) -> OutboxEntry | None:
        try:
            with (self._folder / name).open("rb") as file:
                status = os.fstat(file.fileno())
                head = BytesHeaderParser(policy=modern_policy).parsebytes(file.read(_HEAD_BYTES))
        except OSError:
            # It was removed meanwhile.
            return None
        return OutboxEntry(
            name=name,
            subject=str(head["Subject"] or ""),
            to=str(head["To"] or ""),
            written_at=datetime.fromtimestamp(status.st_mtime, UTC),
            size=status.st_size,
        )


def _is_message(entry: os.DirEntry[str]) -> bool:
    is_ours = entry.name.endswith(_ENDING) and not entry.name.startswith(".")
    # Another file's link may lead anywhere.
    return is_ours and entry.is_file(follow_symlinks=False)


def _read_body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None or part.get_content_subtype() != kind:
        return ""
    try:
        content = part.get_content()
    except LookupError:
        # An encoding that nobody knows; it is none of ours.
        payload = part.get_payload(decode=True)
        content = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return content if isinstance(content, str) else ""

"""The outbox: preview mode writes here what readers would get. Nothing leaves the machine."""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Engine
from sqlmodel import Session, col, select

from mailer.campaigns.audience import is_in_audience
from mailer.campaigns.planning import Plan
from mailer.campaigns.variants import choose_language
from mailer.database.engine import session
from mailer.errors import MailerError
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.media import write_media
from mailer.rendering.message import build_message
from mailer.rendering.personalising import personalise
from mailer.rendering.reader import reader_for
from mailer.workspace import Workspace
from subscribers.listing import find_subscriber
from subscribers.models import Subscriber

_NO_CAMPAIGN = 0


class NotInAudienceError(MailerError):
    """A message was asked for that nobody would get."""

    def __init__(self, address: str, plan: Plan) -> None:
        self.address = address
        super().__init__(
            f"{address} would not get {plan.edition}: not in the segment {plan.segment_words!r}, not to be "
            f"mailed, or has it already. `mailer subscribers show {address}` says more."
        )


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """What was written: ``files`` are whole messages (.eml), ``pages`` the same for the browser (.html)."""

    files: tuple[Path, ...]
    pages: tuple[Path, ...]


def write_outbox(
    workspace: Workspace, engine: Engine, plan: Plan, *, addresses: Sequence[str], now: datetime
) -> Outbox:
    """Write each variant as one reader of it would get it, and the message of each of ``addresses``.

    They are built exactly as a launch would build them, except that their links belong to no campaign. A
    file of the same name from an earlier preview is replaced.

    Raises:
        NotInAudienceError: one of ``addresses`` would get nothing.
        SubscriberError: one of them is no address, or not on the list.
    """
    workspace.outbox.mkdir(exist_ok=True)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with session(engine, read_only=True) as reading:
        wanted = [*_find_samples(reading, plan, now), *_find_asked_for(reading, plan, addresses, now)]
    files, pages = [], []
    for name, compiled, subscriber in wanted:
        reader = reader_for(subscriber, _NO_CAMPAIGN, workspace.settings, workspace.keys.tokens)
        files.append(workspace.outbox / f"{name}.eml")
        _write(files[-1], build_message(compiled, reader, workspace.settings, now=now))
        pages.append(workspace.outbox / f"{name}.html")
        _write(pages[-1], _as_page(personalise(compiled, reader).html, workspace))
    return Outbox(files=tuple(files), pages=tuple(pages))


def _find_samples(
    reading: Session, plan: Plan, now: datetime
) -> Iterator[tuple[str, CompiledEdition, Subscriber]]:
    """For each variant, the first reader of the audience who would get it."""
    audience = is_in_audience(plan.segment, plan.edition, now.date(), again=plan.again)
    spoken = reading.exec(select(col(Subscriber.language)).where(audience).distinct()).all()
    for compiled in plan.compiled:
        wanted = [tag for tag in spoken if choose_language(tag, plan.languages) == compiled.language]
        if wanted:
            readers = select(Subscriber).where(audience, _speaks(wanted)).order_by(col(Subscriber.id))
            subscriber = reading.exec(readers.limit(1)).one()
            reading.expunge(subscriber)
            yield f"{plan.edition}.{compiled.language}", compiled, subscriber


def _speaks(tags: Sequence[str | None]) -> ColumnElement[bool]:
    language = col(Subscriber.language)
    known = language.in_([tag for tag in tags if tag is not None])
    return known | language.is_(None) if None in tags else known


def _find_asked_for(
    reading: Session, plan: Plan, addresses: Sequence[str], now: datetime
) -> Iterator[tuple[str, CompiledEdition, Subscriber]]:
    audience = is_in_audience(plan.segment, plan.edition, now.date(), again=plan.again)
    by_language = {compiled.language: compiled for compiled in plan.compiled}
    for address in addresses if by_language else ():
        known = find_subscriber(reading, address)
        readers = select(Subscriber).where(audience, col(Subscriber.id) == known.id)
        subscriber = reading.exec(readers).first()
        if subscriber is None:
            raise NotInAudienceError(address, plan)
        reading.expunge(subscriber)
        compiled = by_language[choose_language(subscriber.language, plan.languages)]
        yield f"{plan.edition}.{_as_file_name(subscriber.email)}", compiled, subscriber


def _as_file_name(address: str) -> str:
    return re.sub(r"[^\w.@+-]", "_", address)


def _as_page(html: str, workspace: Workspace) -> bytes:
    """The message as a file on disk shows it: its pictures from the media folder beside the outbox."""
    return html.replace(f"{workspace.settings.web.base_url}/media/", "../media/").encode()


def _write(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

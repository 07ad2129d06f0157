"""The outbox: a preview writes here the messages that readers would get. Nothing leaves this machine."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.atomic_write import write_atomically
from mailer.campaigns.audiences.recipient_selection import is_in_audience, load_reader
from mailer.campaigns.plan import Plan
from mailer.database.engine import open_session
from mailer.errors import MailerError
from mailer.rendering.body.variants import choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.image_writer import write_media
from mailer.rendering.mail_merge import personalise
from mailer.rendering.message import MessageBuilder
from mailer.rendering.recipient import Reader
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.queries import find_subscriber


class NotInAudienceError(MailerError):
    """A message was requested for an address that would not get the edition."""

    def __init__(self, address: str, plan: Plan) -> None:
        self.address = address
        super().__init__(
            f"{address} would not get {plan.edition}. They are not in the segment {plan.segment_label!r}, "
            "get no mail at present, are held back by the law of their country, or already have the "
            f"edition. See `mailer subscribers show {address}`."
        )


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """The files written: ``files`` are complete messages (.eml), ``pages`` the same for the browser (.html).

    ``samples`` are the first of the ``files``, one for each variant; the others were requested by address.
    """

    files: tuple[Path, ...]
    samples: tuple[Path, ...]
    pages: tuple[Path, ...]


def write_outbox(
    workspace: Workspace, engine: Engine, plan: Plan, *, addresses: Sequence[str], now: datetime
) -> Outbox:
    """Write each variant as one of its readers would get it, and the messages for ``addresses``.

    They are built exactly as for a real campaign, except that their links belong to no campaign. Files of the
    same name from an earlier preview are replaced.

    Raises:
        NotInAudienceError: one of ``addresses`` would not get the edition.
        SubscriberError: one of them is not a valid address or not on the list.
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
    files, pages = [], []
    for name, compiled, reader in wanted:
        assert builder is not None  # noqa: S101 - nothing is wanted of an edition that has no mail
        files.append(workspace.outbox / f"{name}.eml")
        write_atomically(files[-1], builder.build(reader, now=now), durable=False)
        pages.append(workspace.outbox / f"{name}.html")
        write_atomically(pages[-1], _as_page(personalise(compiled, reader).html, workspace), durable=False)
    samples = files[: len(plan.variants)]
    return Outbox(files=tuple(files), samples=tuple(samples), pages=tuple(pages))


_MessageToWrite: TypeAlias = tuple[str, CompiledEdition, Reader]


def _find_samples(session: Session, plan: Plan, workspace: Workspace) -> Iterator[_MessageToWrite]:
    """The first reader of each variant, starting with the variant with the most readers."""
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


def _as_page(html: str, workspace: Workspace) -> bytes:
    """The message as a page on disk, with its pictures from the media folder next to the outbox."""
    return html.replace(f"{workspace.settings.web.base_url}/media/", "../media/").encode()

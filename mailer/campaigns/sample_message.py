"""Render an edition as one sample message, in HTML, text, MJML or as an .eml file."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from editions.model import Edition
from editions.reader import read_edition
from mailer.campaigns.audiences.recipient_selection import load_reader
from mailer.database.engine import open_session
from mailer.database.schema import ensure_current
from mailer.rendering.body.variants import choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition, compile_mjml
from mailer.rendering.image_writer import write_media
from mailer.rendering.mail_merge import personalise
from mailer.rendering.message import build_message
from mailer.rendering.recipient import Reader, anonymous_reader
from mailer.workspace import Workspace
from subscribers.queries import find_subscriber


@dataclass(frozen=True, kw_only=True)
class _SampleMessage:
    workspace: Workspace
    edition: Edition
    compiled: CompiledEdition
    reader: Reader

    def as_html(self) -> bytes:
        return personalise(self.compiled, self.reader).html.encode()

    def as_text(self) -> bytes:
        return personalise(self.compiled, self.reader).text.encode()

    def as_mjml(self) -> bytes:
        settings, overrides = self.workspace.settings, self.workspace.template_overrides
        return compile_mjml(
            self.edition, settings, language=self.compiled.language, overrides=overrides
        ).encode()

    def as_eml(self) -> bytes:
        return build_message(self.compiled, self.reader, self.workspace.settings, now=datetime.now(UTC))


_FORMATS: Mapping[str, Callable[[_SampleMessage], bytes]] = {
    "html": _SampleMessage.as_html,
    "text": _SampleMessage.as_text,
    "mjml": _SampleMessage.as_mjml,
    "eml": _SampleMessage.as_eml,
}


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
    ``../media/``, so that a file in the outbox shows them from disk.

    Raises:
        EditionError: the edition has errors.
        SubscriberError: there is no subscriber with ``address``.
        TemplateError: a template is wrong, or the edition does not exist in ``language``.
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
    data = _FORMATS[output_format](
        _SampleMessage(workspace=workspace, edition=edition, compiled=compiled, reader=reader)
    )
    if local_media:
        base = f"{workspace.settings.web.base_url}/media/".encode()
        data = data.replace(base, f"..{os.sep}media{os.sep}".encode())
    return data


def _load_reader_by_address(workspace: Workspace, address: str) -> Reader:
    with workspace.use_database() as engine:
        ensure_current(engine)
        with open_session(engine, read_only=True) as session:
            return load_reader(session, find_subscriber(session, address), workspace)

"""The mails to be pictured, as they would be sent, and a server for their pictures."""

import contextlib
import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from editions.reader import read_edition
from mailer.database.models import TransactionalMailKind
from mailer.i18n import load_translator
from mailer.rendering.compiled_edition import write_media
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import anonymous_reader
from mailer.rendering.message import build_message
from mailer.selfservice.transactional_mails import MAIL_TEXTS, build_letter
from mailer.settings import load_settings
from mailer.workspace_init import SAMPLE_EDITIONS, create_workspace

_NOW = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class PicturedMail:
    """A mail by the name of its picture, and its file."""

    name: str
    file: Path


def write_pictured_mails(folder: Path, base_url: str) -> list[PicturedMail]:
    """The sample edition and a letter, whose pictures are at ``base_url``."""
    root = create_workspace(folder / "workspace", sample=True, now=_NOW).root
    settings = load_settings(root, {"MAILER_WEB__BASE_URL": base_url})
    edition = read_edition(next(SAMPLE_EDITIONS.glob("*/edition.md")).parent, sectors=settings.sectors)
    compiled = compile_edition(edition, settings)
    write_media(compiled, folder / "media")
    newsletter = build_message(compiled, anonymous_reader(settings), settings, now=_NOW)
    letter = build_letter(
        MAIL_TEXTS[TransactionalMailKind.confirm],
        TransactionalMailKind.confirm,
        envelope="nara@example.org",
        url=f"{base_url}/p/{'A1b2C3d4E5f6G7h8J9k0' * 2}",
        translator=load_translator("en"),
        settings=settings,
        mail_id=1,
        requested_at=_NOW,
        now=_NOW,
    )
    return [_write(folder, edition.template, newsletter), _write(folder, "letter", letter)]


def _write(folder: Path, name: str, raw: bytes) -> PicturedMail:
    file = folder / f"{name}.eml"
    file.write_bytes(raw)
    return PicturedMail(name, file)


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal shows what was pictured."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address at which ``folder`` is served, on this machine only."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

"""Uploading a file of partners."""

import errno
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from mailer.i18n import gettext_noop
from mailer.list_imports.import_files import (
    UploadWriter,
    add_import_file,
    begin_upload,
    list_open_files,
    list_waiting_files,
)
from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.state import get_state
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource
from mailer.web.upload import read_streamed_file

MAX_FILE_BYTES = 40 * 1024 * 1024
"""The largest file that is taken; a million people fit in it if each has a row of 40 bytes."""

MAX_BODY_BYTES = 1024 * 1024 * 1024
"""What is read at most of a file that is too large, so that the page can say so instead of hanging up."""

SHORT_WAIT = 3.0
"""How many seconds a page waits for the thread, so that a small file needs no second look."""

_SHOWN = 20
_NO_FILE = gettext_noop("Choose a file.")
_EMPTY = gettext_noop("%(name)s is empty. Choose another file.")
_TOO_LARGE = gettext_noop(
    "%(name)s has %(size)s MB. At most %(most)s MB can be imported here. Split it, or import it on the "
    "command line: mailer subscribers import"
)
_DISK_FULL = gettext_noop(
    "The server’s disk is full, so the file could not be kept. Nothing was changed. Make room, or ask "
    "whoever looks after the server, and try again."
)
_NOT_KEPT = gettext_noop("The file could not be kept on the server (%(why)s). Nothing was changed.")
_CUT_OFF = gettext_noop("Only a part of the file arrived. Nothing was changed. Choose it again.")
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ReceivedFile:
    """A file that has arrived: its name and its whole size. ``writer`` has what was kept of it, ``fault`` is
    why it could not be kept."""

    name: str = ""
    size: int = 0
    is_complete: bool = False
    writer: UploadWriter | None = None
    fault: OSError | None = None

    def take(self, data: bytes) -> None:
        """Keep the next bytes, unless the file is too large already or could not be kept."""
        if self.writer is None or self.fault is not None or self.writer.size + len(data) > MAX_FILE_BYTES:
            return
        try:
            self.writer.write(data)
        except OSError as error:
            self.fault = error
            self.writer.discard()

    def discard(self) -> None:
        """Delete what was kept of it."""
        if self.writer is not None:
            self.writer.discard()


async def _receive_file(request: Request) -> ReceivedFile:
    received = ReceivedFile()
    try:
        received.writer = begin_upload(get_state(request).workspace)
    except OSError as error:
        received.fault = error
    try:
        reader = await read_streamed_file(request, received.take)
    except BaseException:
        received.discard()
        raise
    received.name, received.size, received.is_complete = reader.file_name, reader.size, reader.is_complete
    return received


ReceivedFileDep = Annotated[ReceivedFile, Depends(_receive_file)]
"""The file of a form, kept while it arrives."""


def show_upload(page: PageDep) -> Response:
    """Show the form that takes a file, and the files that wait."""
    return _render(page, [])


def receive(page: PageDep, received: ReceivedFileDep) -> Response:
    """Keep the file, have it checked, and go on to its page."""
    try:
        if words := _find_fault(page, received):
            return _render(page, [("file", words)], status=422)
        stored_as = _keep(received)
    except OSError as error:
        _log.warning("An uploaded file could not be kept: %s", error)
        return _render(page, [("file", _describe_fault(page, error))], status=507)
    finally:
        received.discard()
    with page.state.write_session() as session:
        number = add_import_file(
            session,
            name=received.name,
            stored_as=stored_as,
            size=received.size,
            member_id=page.member.id,
            now=page.state.clock(),
        )
    page.state.imports.wake()
    page.state.imports.wait_for(number, SHORT_WAIT)
    return page.redirect(f"/imports/new/{number}")


def _find_fault(page: StudioPage, received: ReceivedFile) -> str:
    """What is wrong with the file; "" if nothing is."""
    translate = page.translator.translate
    if not received.name:
        return translate(_NO_FILE)
    if received.size > MAX_FILE_BYTES:
        size = f"{received.size / 1024 / 1024:,.0f}"
        return translate(_TOO_LARGE, name=received.name, size=size, most=str(MAX_FILE_BYTES // 1024 // 1024))
    if not received.is_complete:
        return translate(_CUT_OFF)
    return translate(_EMPTY, name=received.name) if not received.size else ""


def _keep(received: ReceivedFile) -> str:
    """Keep the file for good, and return its name in the folder of uploads.

    Raises:
        OSError: it could not be written.
    """
    if received.fault is not None:
        raise received.fault
    assert received.writer is not None  # noqa: S101 - otherwise there is a fault
    return received.writer.keep()


def _describe_fault(page: StudioPage, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return page.translator.translate(_DISK_FULL)
    return page.translator.translate(_NOT_KEPT, why=error.strerror or str(error))


def _render(page: StudioPage, errors: Sequence[tuple[str, str]], *, status: int = 200) -> Response:
    with page.state.read_session() as session:
        waiting = list_open_files(session, limit=_SHOWN)
    return page.render(
        "import_upload.html",
        status=status,
        section="partners",
        errors=errors,
        waiting=waiting,
        most=MAX_FILE_BYTES // 1024 // 1024,
    )


ROUTES = (
    StudioRoute("/imports/new", show_upload, GET, Permission.change_partners),
    StudioRoute("/imports/upload", receive, POST, Permission.change_partners),
)

_WAITING_SHOWN = 5


def _list_files(page: StudioPage) -> Iterator[WaitingItem]:
    """Files that the member has chosen, and neither imported nor discarded."""
    translate = page.translator.translate
    with page.state.read_session() as session:
        files = list_waiting_files(session, page.member.id, limit=_WAITING_SHOWN)
    for number, name in files:
        yield WaitingItem(
            title=name,
            words=translate(gettext_noop("A file of yours waits to be imported")),
            act=translate(gettext_noop("See what it would change")),
            path=f"/imports/new/{number}",
        )


WAITING_FILES = WaitingSource(
    name=gettext_noop("Imports"), permission=Permission.change_partners, list_items=_list_files
)

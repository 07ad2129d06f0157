"""Uploading a file of partners."""

import errno
import logging
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from mailer.i18n import gettext_noop
from mailer.list_imports.import_files import (
    UploadWriter,
    add_import_file,
    list_open_files,
    list_waiting_files,
)
from mailer.team.members import Permission
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.state import get_state
from mailer.web.studio.waiting_item import WaitingItem
from mailer.web.upload import FileReader, read_streamed_file

MAX_FILE_BYTES = 40 * 1024 * 1024
"""The largest file that is taken; a million people fit in it if each has a row of 40 bytes."""

MAX_BODY_BYTES = 1024 * 1024 * 1024
"""What is read at most of a file that is too large, so that the page can say so instead of hanging up."""

SHORT_WAIT = 3.0
"""How many seconds a page waits for the thread, so that a small file needs no second look."""

_WAITING_SHOWN = 5
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

ROUTES = Routes()


async def _receive_file(request: Request) -> tuple[FileReader, UploadWriter]:
    writer = UploadWriter(get_state(request).workspace, most=MAX_FILE_BYTES)
    try:
        return await read_streamed_file(request, writer.write), writer
    except BaseException:
        writer.discard()
        raise


@ROUTES.get_route("/imports/new", Permission.change_partners)
def show_upload(page: PageDep) -> Response:
    return _render(page)


@ROUTES.post_route("/imports/upload", Permission.change_partners)
def receive(
    page: PageDep, received: Annotated[tuple[FileReader, UploadWriter], Depends(_receive_file)]
) -> Response:
    reader, writer = received
    try:
        if words := _find_fault(page, reader):
            return _render(page, words, status=422)
        stored_as = writer.keep()
    except OSError as error:
        _log.warning("An uploaded file could not be kept: %s", error)
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        words = page.translate(_DISK_FULL if is_full else _NOT_KEPT, why=page.explain(error))
        return _render(page, words, status=507)
    finally:
        writer.discard()
    now = page.state.clock()
    with page.writing() as session:
        number = add_import_file(
            session,
            name=reader.file_name,
            stored_as=stored_as,
            size=reader.size,
            member_id=page.member.id,
            now=now,
        )
    page.state.imports.wake()
    page.state.imports.wait_for(number, SHORT_WAIT)
    return page.redirect(f"/imports/new/{number}")


def _find_fault(page: StudioPage, reader: FileReader) -> str:
    if not reader.file_name:
        return page.translate(_NO_FILE)
    if reader.size > MAX_FILE_BYTES:
        size, most = (f"{number / 1024 / 1024:,.0f}" for number in (reader.size, MAX_FILE_BYTES))
        return page.translate(_TOO_LARGE, name=reader.file_name, size=size, most=most)
    if not reader.is_complete:
        return page.translate(_CUT_OFF)
    return "" if reader.size else page.translate(_EMPTY, name=reader.file_name)


def _render(page: StudioPage, fault: str = "", *, status: int = 200) -> Response:
    return page.render(
        "import_upload.html",
        status=status,
        errors=[("file", fault)] if fault else [],
        waiting=list_open_files(page.session),
        most=MAX_FILE_BYTES // 1024 // 1024,
    )


def list_file_items(page: StudioPage) -> Iterator[WaitingItem]:
    """List files that the member has chosen, and neither imported nor discarded."""
    for number, name in list_waiting_files(page.session, page.member.id, limit=_WAITING_SHOWN):
        yield WaitingItem(
            title=name,
            words=page.translate(gettext_noop("A file of yours waits to be imported")),
            act=page.translate(gettext_noop("See what it would change")),
            path=f"/imports/new/{number}",
        )

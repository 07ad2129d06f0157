"""A Studio with a member of each role, whose files and rows can be watched and put back."""

import contextlib
import http.client
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from sqlmodel import Session

from mailer.campaigns.preparation.preparation_store import begin_preparation
from mailer.database.engine import open_session
from mailer.database.import_models import ImportFile, ImportFileState
from mailer.database.models import Campaign
from mailer.database.team_models import Role, SignInMethod, TeamMember
from mailer.list_imports.checked_file import CheckedFile
from mailer.list_imports.import_files import UploadWriter, add_import_file
from mailer.team.sessions import open_team_session
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace, open_workspace, write_keys
from subscribers.imports.import_report import ImportReport
from subscribers.models import ImportBatch, SavedSegment
from tests.conftest import SETTINGS
from tests.factories.small_edition import SLUG, write_edition, write_second_story
from tests.web.studio.conftest import Studio, serve_studio

_STALE = "An old browser"

PREPARED = 7
"""The campaign that is being prepared."""

ELSEWHERE = "2025-4"
"""Another edition, with a story that the first has not."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class House:
    """A Studio with a member of each role signed in, one who has left, and a session that has ended."""

    studio: Studio
    cookies: Mapping[str, str]
    pristine: Path
    rows: "WatchedRows | None" = None

    def ask(
        self,
        method: str,
        path: str,
        who: str = "",
        *,
        form: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        """Ask for a path below /studio as ``who``; by default a POST comes from our own page."""
        sent = {"sec-fetch-site": "same-origin"} if method not in {"GET", "HEAD"} else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if who:
            sent["cookie"] = self.cookies[who]
        body = None
        if method not in {"GET", "HEAD"}:
            body = urlencode(form or {})
            sent["content-type"] = "application/x-www-form-urlencoded"
        sent = {name: value for name, value in sent.items() if value != "-"}
        place = urlsplit(self.studio.url)
        connection = http.client.HTTPConnection("localhost", place.port, timeout=30)
        try:
            connection.putrequest(
                method, f"/studio{path}", skip_accept_encoding=True, skip_host="host" in sent
            )
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(None if body is None else body.encode())
            answer = connection.getresponse()
            return Answer(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.getheaders()},
                body=answer.read(),
            )
        finally:
            connection.close()

    def see(self) -> dict[str, object]:
        """What a request could have changed, by name: the files of the editions, the names in the workspace,
        and the rows of each table."""
        root = self.studio.workspace.root
        files: dict[str, object] = {
            str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in self.studio.workspace.editions.rglob("*")
        }
        # The doctor tries whether it can write, and keeps what it found, after the request that asked it to.
        later = (".", "mailer.db-", "doctor.json")
        names = sorted(path.name for path in root.iterdir() if not path.name.startswith(later))
        settings = (root / "mailer.toml").read_bytes()
        return {**files, "the workspace": names, "mailer.toml": settings, **self._read_rows()}

    def _read_rows(self) -> dict[str, list[dict[str, object]]]:
        if self.rows is not None:
            return self.rows.read()
        with _connect(self.studio.workspace.root / "mailer.db") as connection:
            return _dump(connection)

    @contextlib.contextmanager
    def unchanged(self, reason: str) -> Iterator[None]:
        """Demand that nothing changes within the block."""
        before = self.see()
        yield
        after = self.see()
        changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
        assert not changed, (
            f"{reason} has changed {[(name, before.get(name), after.get(name)) for name in changed]}"
        )

    def keep(self) -> None:
        """Keep everything as it is now, for :meth:`restore`."""
        workspace = self.studio.workspace
        shutil.copytree(workspace.editions, self.pristine / "editions")
        shutil.copy(workspace.root / "mailer.toml", self.pristine / "mailer.toml")
        with _connect(workspace.root / "mailer.db") as live, _connect(self.pristine / "mailer.db") as copy:
            live.backup(copy)

    def restore(self) -> None:
        """Make everything as it was when it was kept."""
        editions = self.studio.workspace.editions
        shutil.rmtree(editions)
        shutil.copytree(self.pristine / "editions", editions)
        settings = self.studio.workspace.root / "mailer.toml"
        if settings.read_bytes() != (self.pristine / "mailer.toml").read_bytes():
            shutil.copy(self.pristine / "mailer.toml", settings.with_name("draft"))
            settings.with_name("draft").replace(settings)
        for source, target in ((self.pristine / "mailer.db", self.studio.workspace.root / "mailer.db"),):
            with _connect(source) as old, _connect(target) as live:
                old.backup(live)


@contextlib.contextmanager
def _connect(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=30)
    try:
        yield connection
    finally:
        connection.close()


class WatchedRows:
    """The rows of all tables, read again only if somebody has committed something meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = -1
        self._rows: dict[str, list[dict[str, object]]] = {}

    def read(self) -> dict[str, list[dict[str, object]]]:
        while (version := self._read_version()) != self._version:
            self._rows, self._version = _dump(self._connection), version
        return self._rows

    def _read_version(self) -> int:
        """A number that every commit of another connection changes."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def _dump(connection: sqlite3.Connection) -> dict[str, list[dict[str, object]]]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    tables: dict[str, list[dict[str, object]]] = {}
    for (name,) in found:
        rows = connection.execute(f'SELECT * FROM "{name}"')
        columns = [column[0] for column in rows.description]
        tables[name] = [dict(zip(columns, row, strict=True)) for row in rows]
    # A thread deletes the sessions that have ended, and those of who has left.
    gone = {one["id"] for one in tables["team_member"] if one["removed_at"]}
    tables["team_session"] = [
        one for one in tables["team_session"] if one["browser"] != _STALE and one["member_id"] not in gone
    ]
    for one in tables["team_session"]:
        # A visit is noted once a minute, which is no act of anybody.
        del one["last_seen_at"]
    # Threads go on to mail, and to count, what an earlier request asked for.
    del tables["sign_in_mail"], tables["approval_mail"], tables["halt_mail"], tables["counted_number"]
    return tables


def _make_workspace(root: Path, database: Path) -> Workspace:
    (root / "editions").mkdir(parents=True)
    # Locks are in it, of which a request may be the first.
    (root / "run").mkdir(mode=0o700)
    (root / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    write_keys(root / "keys.toml")
    shutil.copy(database, root / "mailer.db")
    write_second_story(write_edition(root / "editions"), personalise="off")
    other = root / "editions" / ELSEWHERE
    shutil.copytree(root / "editions" / SLUG, other)
    (other / "stories" / "030-only-here.md").write_text("---\ntitle: Only here\n---\n\nText.\n")
    return open_workspace(root, environ={})


def _add_import(session: Session, workspace: Workspace, member_id: int) -> None:
    """An import, and a file that waits to be imported; the number of each is 1."""
    now = utc_now()
    session.add(ImportBatch(source="list.csv", form="CSV", basis="", at=now))
    writer = UploadWriter(workspace, most=1000)
    writer.write(b"email\nann@example.org\n")
    stored_as = writer.keep()
    number = add_import_file(
        session, name="list.csv", stored_as=stored_as, size=writer.size, member_id=member_id, now=now
    )
    row = session.get_one(ImportFile, number)
    checked = CheckedFile(report=ImportReport(added=1, updated=0, unchanged=0, suppressed=0, refused=()))
    row.state, row.result, row.version = ImportFileState.checked, checked.write_json(), checked.version
    session.add(row)


@contextlib.contextmanager
def open_house(folder: Path, sqlite_template: Path) -> Iterator[House]:
    """Serve a Studio with two editions and a member of each role."""
    workspace = _make_workspace(folder / "workspace", sqlite_template)
    with serve_studio(workspace) as studio, _connect(workspace.root / "mailer.db") as watching:
        cookies = {role.value: studio.sign_in(studio.add_member(role, f"{role.value} X")) for role in Role}
        with Session(studio.engine) as session:
            session.add(
                SavedSegment(name="east", text="country:CN", created_at=utc_now(), updated_at=utc_now())
            )
            session.commit()
        left = studio.add_member(Role.manager, "Left", "left@example.org")
        cookies["left"] = studio.sign_in(left)
        stale = studio.add_member(Role.manager, "Stale", "stale@example.org")
        with Session(studio.engine) as session:
            row = session.get(TeamMember, left.id)
            assert row is not None
            row.removed_at = utc_now()
            session.add(row)
            old = utc_now() - timedelta(days=100)
            secret = open_team_session(session, stale.id, SignInMethod.link, browser=_STALE, now=old)
            _add_import(session, workspace, left.id)
            session.commit()
        cookies["stale"] = f"studio={secret}"
        cookies["forged"] = f"studio={'A' * 43}"
        with open_session(studio.engine) as session:
            # With a number of its own, so that number 1 is that of no campaign.
            session.add(
                Campaign(id=PREPARED, edition=SLUG, title="News", segment="", digest="", created_at=utc_now())
            )
            session.flush()
            begin_preparation(session, SLUG, title="News", member_id=None, now=utc_now())
            session.commit()
        house = House(
            studio=studio, cookies=cookies, pristine=folder / "pristine", rows=WatchedRows(watching)
        )
        house.keep()
        yield house

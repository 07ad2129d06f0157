"""PostgreSQL servers for the tests: one to share, and one that can be stopped and restarted."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from tests.servers.process import await_server


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs, or None."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def _as_unprivileged_user() -> tuple[list[str | Path], pwd.struct_passwd | None]:
    """Return a command prefix and the user it switches to, because PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return [], None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    # The parent's death ends the server too, so that a killed test run leaves nothing behind.
    words: list[str | Path] = [
        "setpriv",
        "--reuid",
        str(user.pw_uid),
        "--regid",
        str(user.pw_gid),
        "--clear-groups",
    ]
    return [*words, "--pdeathsig", "KILL"], user


@contextlib.contextmanager
def running_postgres(programs: Path, *, durable: bool = False) -> Iterator[str]:
    """A server on a Unix socket in a folder of its own, without fsync unless ``durable``; yields the address
    of its first database.
    """
    words, user = _as_unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="mailer-pg-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    quick = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
    try:
        subprocess.run(
            [*words, programs / "initdb", "--pgdata", data, *quick],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        options = ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off")
        unsafe = options[:1] if durable else options
        settings = [word for option in unsafe for word in ("-c", option)]
        command = [*words, programs / "postgres", "-D", data, "-k", folder, *settings]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, cwd=folder)
        try:
            _await_postgres(server, programs, folder)
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_postgres(server: "subprocess.Popen[bytes]", programs: Path, folder: Path) -> None:
    def is_ready() -> bool:
        command = [programs / "pg_isready", "-h", folder, "-q"]
        return subprocess.run(command, check=False).returncode == 0

    await_server(server, is_ready, name="PostgreSQL", logs=[folder / "log"])


def has_lock_waiter(engine: Engine) -> bool:
    """Whether a PostgreSQL transaction is waiting for an advisory lock."""
    with engine.connect() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(connection.scalar(text(waiting)))


@dataclass(kw_only=True)
class Cluster:
    """A durable PostgreSQL on a Unix socket in ``folder``, which can end and start again."""

    programs: Path
    folder: Path
    words: list[str | Path]
    server: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def start(self) -> None:
        command = [*self.words, self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder]
        with (self.folder / "log").open("ab") as log:
            self.server = subprocess.Popen(
                [*command, "-c", "listen_addresses="], stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder
            )
        _await_postgres(self.server, self.programs, self.folder)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends every session and then the server; SIGQUIT ends all immediately, like a crash."""
        if self.server is not None:
            self.server.send_signal(how)
            self.server.wait()
            self.server = None


@contextlib.contextmanager
def postgres_cluster(programs: Path) -> Iterator[Cluster]:
    """Start a separate cluster, with fsync and every commit durable."""
    words, user = _as_unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="mailer-pg-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    cluster = Cluster(programs=programs, folder=folder, words=words)
    quick = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
    try:
        command = [*words, programs / "initdb", "--pgdata", folder / "data", *quick]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        cluster.start()
        yield cluster
    finally:
        cluster.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)

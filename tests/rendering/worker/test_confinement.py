"""What a template that has escaped from its sandbox can still do: read templates, and nothing else.

Each attempt is made twice, by a program of its own: before it is confined, when it succeeds, and afterwards.
"""

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from mailer.errors import TemplateError
from mailer.rendering.worker import confinement
from mailer.rendering.worker.client import RenderWorker
from mailer.rendering.worker.confinement import describe_confinement
from tests.paths import ROOT
from tests.rendering.small_page import lay_out_page, write_theme

NEEDS_LANDLOCK = pytest.mark.skipif(
    not confinement.read_version(), reason=f"Linux {platform.release()} offers no Landlock here"
)
NEEDS_SECCOMP = pytest.mark.skipif(
    not confinement.is_available(), reason=f"no seccomp here, or no numbers for {platform.machine()}"
)
NOBODY = 65534

PROGRAM = """
import ctypes, json, os, signal, socket, sys
from pathlib import Path
from mailer.rendering.worker.confinement import confine_to
from mailer.rendering.worker.main import drop_privileges
folder, confined = Path(sys.argv[1]), sys.argv[2] == "confined"
parent, listener = os.getppid(), int(sys.argv[3])
"".encode("idna")  # loaded now, because another user may not be allowed to read this Python
if user := int(sys.argv[4]):
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)

def fork():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)

ATTEMPTS = {
    "read its templates": lambda: (folder / "templates/email/own.txt.j2").read_text(),
    "list its templates": lambda: os.listdir(folder / "templates"),
    "load a module": lambda: __import__("colorsys"),
    "read the keys": lambda: (folder / "keys.toml").read_text(),
    "read the list": lambda: (folder / "mailer.db").read_bytes(),
    "list the workspace": lambda: os.listdir(folder),
    "read what belongs to its parent": lambda: Path(f"/proc/{parent}/cmdline").read_bytes(),
    "read the users of the machine": lambda: Path("/etc/passwd").read_text(),
    "connect": lambda: socket.create_connection(("127.0.0.1", listener), timeout=5).close(),
    "look up a name": lambda: socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM) and
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 53)),
    "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
    "talk to a local service": lambda: socket.socketpair(),
    "create a file": lambda: (folder / "new").touch(),
    "write to a file": lambda: os.close(os.open(folder / "keys.toml", os.O_WRONLY)),
    "truncate a file": lambda: os.truncate(folder / "victim", 1),
    "rename a file": lambda: os.rename(folder / "victim", folder / "victim2"),
    "open a file to everybody": lambda: os.chmod(folder / "keys.toml", 0o644),
    "delete a file": lambda: os.unlink(folder / "victim2"),
    "signal its parent": lambda: os.kill(parent, 0),
    "limit its parent": lambda: __import__("resource").prlimit(parent, 7),
    "start a process": fork,
    "end with a signal to itself": lambda: os.kill(os.getpid(), 0),
}
if confined:
    drop_privileges()
    confine_to(folder / "templates")
done = {}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        done[name] = True
    except (OSError, ImportError):
        done[name] = False
print(json.dumps(done))
"""

FILES = {"read the keys", "read the list", "list the workspace", "read what belongs to its parent"} | {
    "read the users of the machine"
}
"""What Landlock refuses; the rest is for seccomp."""

ALLOWED = {"read its templates", "list its templates", "load a module", "end with a signal to itself"}


@pytest.fixture(params=["me", "an ordinary user"])
def user(request: pytest.FixtureRequest) -> int:
    """Who the process runs as, 0 for whoever runs the tests: the kernel holds root like anybody else."""
    if request.param == "me":
        return 0
    if os.getuid() != 0:
        pytest.skip("only root can become another user, and the test has already run as an ordinary one")
    return NOBODY


@contextmanager
def workspace_of(user: int) -> Iterator[Path]:
    """A workspace that the process owns, so that nothing but its confinement protects it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_theme(root / "templates", "x")
        for file in ("keys.toml", "mailer.db", "victim"):
            (root / file).write_text("secret")
        if user:
            for path in (root, *root.rglob("*")):
                os.chown(path, user, user)
        yield root


@cache
def attempt(user: int, how: str) -> dict[str, bool]:
    """What the program could do, tried once for all tests."""
    with workspace_of(user) as folder, socket.create_server(("127.0.0.1", 0)) as server:
        words = [str(folder), how, str(server.getsockname()[1]), str(user)]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_program_that_is_not_confined_does_all_of_it(user: int) -> None:
    done = attempt(user, "free")
    # Whoever is not root cannot signal or limit a process of root's, and perhaps not read root's Python.
    beyond = {"signal its parent", "limit its parent", "load a module"} if user else set()
    assert {name for name, success in done.items() if not success} <= beyond


@NEEDS_LANDLOCK
def test_the_process_reads_templates_and_the_program_and_no_other_file(user: int) -> None:
    done = attempt(user, "confined")
    assert {name for name in FILES if done[name]} == set()
    assert {name for name in ALLOWED if not done[name]} <= ({"load a module"} if user else set())


@NEEDS_SECCOMP
def test_the_process_has_no_network_and_changes_and_starts_nothing(user: int) -> None:
    done = attempt(user, "confined")
    assert {name for name in done.keys() - FILES - ALLOWED if done[name]} == set()
    assert done["end with a signal to itself"]


@NEEDS_LANDLOCK
@NEEDS_SECCOMP
def test_the_process_that_renders_is_confined_from_its_first_page_on(tmp_path: Path) -> None:
    page = lay_out_page(tmp_path / "editions")
    (tmp_path / "keys.toml").write_text("canary-4a1f09")
    own = write_theme(tmp_path / "templates", "{% include 'email/link.txt' %}")
    (own / "email" / "link.txt").symlink_to(tmp_path / "keys.toml")
    with RenderWorker() as worker:
        with pytest.raises(TemplateError, match=r"link\.txt: cannot be read: .*Permission denied"):
            worker.render(page, template="own", overrides=own)
        status = Path(f"/proc/{worker.pid}/status").read_text()
        assert "NoNewPrivs:\t1\n" in status
        assert "Seccomp:\t2\n" in status
        first = worker.pid
        # The templates of another workspace, which this process cannot read, are for another process.
        other = write_theme(tmp_path / "other", "<p>elsewhere</p>")
        assert "<p>elsewhere</p>" in worker.render(page, template="own", overrides=other).html
        assert worker.pid != first


@pytest.mark.parametrize(
    ("version", "filters", "words"),
    [
        (2, True, "program or use the network (Landlock version 2, seccomp)"),
        (0, True, "does not offer Landlock"),
        (2, False, "does not offer seccomp"),
        (0, False, "offers neither Landlock nor seccomp"),
    ],
)
def test_what_is_in_force_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, version: int, filters: bool, words: str
) -> None:
    monkeypatch.setattr(confinement, "read_version", lambda: version)
    monkeypatch.setattr(confinement, "is_available", lambda: filters)
    complete, said = describe_confinement()
    assert words in said
    assert complete is (version > 0 and filters)
    assert complete or "Use only templates that you trust." in said


def test_a_system_that_offers_neither_renders_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "read_version", lambda: 0)
    monkeypatch.setattr(confinement, "is_available", lambda: False)
    confinement.confine_to(None)
    assert not confinement.forbid_system_calls()

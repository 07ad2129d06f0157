"""The commands login and logout, as a person uses them."""

import contextlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.oauth.grant_store import GrantStore
from mailer.workspace import Workspace
from tests.factories.oauth import write_secret
from tests.servers.oauth_provider import ACCOUNT, Dialect, OAuthProvider, find_in_text, find_secrets


def configure(workspace: Workspace, oauth: dict[str, Any], *, user: str = ACCOUNT) -> Path:
    """Let the only relay sign in as ``oauth`` says."""
    lines = [f"[smtp]\nurl = 'smtp://{user.replace('@', '%40')}@127.0.0.1:9'\n\n[smtp.oauth]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in oauth.items()]
    path = workspace.root / "mailer.toml"
    path.write_text(path.read_text() + "\n" + "\n".join(lines) + "\n")
    tomllib.loads(path.read_text())
    return workspace.root


def run(root: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words], input=typed)


@contextlib.contextmanager
def running(root: Path, *words: str, until: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The program at work, and what it has said by the time it has said ``until``."""
    command = [sys.executable, "-m", "mailer", "-C", str(root), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        shown = ""
        while until not in shown:
            line = process.stderr.readline()
            assert line, shown
            shown += line
        yield process, shown


def find_address(shown: str) -> str:
    found = re.search(r"http://\S+/authorize\S+", shown)
    assert found, shown
    return found[0]


def test_a_person_signs_in_with_the_browser_and_out_again(workspace: Workspace) -> None:
    with OAuthProvider() as provider:
        root = configure(workspace, provider.settings)
        words = ("login", "main", "--no-browser", "--json")
        with running(root, *words, until="Waiting") as (process, shown):
            assert "You have signed in" in provider.visit(find_address(shown))
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            out, rest = process.communicate(timeout=120)
        assert process.returncode == 0, rest
        found = json.loads(out)
        assert (found["relay"], found["account"], found["provider"]) == ("main", ACCOUNT, "microsoft")
        kept = GrantStore(root=root).read("main")
        assert kept is not None
        times = (found["signed_in_at"], found["token_ends_at"])
        assert times == (str(kept.signed_in_at), str(kept.expires_at))
        for text in (shown + rest, out, arguments):
            assert find_in_text(provider, text) == []
        assert find_secrets(provider, root) == []
        ended = run(root, "logout", "main")
        assert ended.stdout == "main: the sign-in is forgotten.\n"
        assert len(provider.revoked) == 1
        assert run(root, "logout", "main").stdout == "main: nobody was signed in.\n"


def test_a_person_pastes_the_address_that_the_browser_ends_at(workspace: Workspace) -> None:
    with OAuthProvider(dialect=Dialect.google) as provider:
        root = configure(workspace, provider.settings)
        with running(root, "login", "main", "--paste", until="Copy its whole address") as (process, shown):
            query = parse_qs(urlsplit(find_address(shown)).query)
            address = provider.redirect({name: found[0] for name, found in query.items()})
            out, rest = process.communicate(f"{address}\n", timeout=120)
        assert process.returncode == 0, rest
        assert out == f"main: signed in at Google as {ACCOUNT}.\n"


def test_a_code_is_shown_with_the_place_to_type_it_in_and_the_account_is_compared(
    workspace: Workspace,
) -> None:
    with OAuthProvider(account="mei@example.org") as provider:
        root = configure(workspace, provider.settings)
        with running(root, "login", "main", "--device", until="Waiting") as (process, shown):
            assert f"Open {provider.url}/device on any device, and type in this code:" in shown
            provider.approve()
            out, rest = process.communicate(timeout=120)
        assert process.returncode == 0, rest
        assert out == "main: signed in at Microsoft as mei@example.org.\n"
        assert "The settings name news@example.org, and mei@example.org has signed in." in rest


def test_google_is_not_asked_for_a_code(workspace: Workspace) -> None:
    root = configure(workspace, {"provider": "google", "client_id": "x"})
    result = run(root, "login", "main", "--device")
    assert result.exit_code == 2
    assert "its device flow refuses the scope). Use --paste." in result.stderr


def test_an_application_signs_in_by_itself(workspace: Workspace) -> None:
    with OAuthProvider() as provider:
        secret = str(write_secret(workspace.root))
        oauth = {"grant": "client_credentials", "tenant": "example.org", "client_secret_file": secret}
        root = configure(workspace, provider.settings | oauth)
        result = run(root, "login", "main")
        assert result.exit_code == 0, result.stderr
        assert "the application signs in at Microsoft by itself" in result.stdout
        provider.refusal = "secret expired"
        refused = run(root, "login", "main")
        assert refused.exit_code == 1
        assert "Make a new one at Microsoft" in refused.stderr
        assert find_in_text(provider, refused.output) == []


def test_an_unknown_relay_is_answered_with_those_that_sign_in(workspace: Workspace) -> None:
    with OAuthProvider() as provider:
        root = configure(workspace, provider.settings)
        for command in ("login", "logout"):
            result = run(root, command, "spare")
            assert result.exit_code == 1
            assert "There is no sign-in spare. Choose from: main" in result.stderr


def test_a_workspace_without_oauth_says_what_to_set(workspace: Workspace) -> None:
    result = run(workspace.root, "login", "main")
    assert result.exit_code == 1
    assert "Set [smtp.oauth] or [feedback.oauth]" in result.stderr


def test_two_ways_at_once_are_refused(workspace: Workspace) -> None:
    result = run(workspace.root, "login", "main", "--device", "--paste")
    assert result.exit_code == 2
    assert "Choose one" in result.stderr

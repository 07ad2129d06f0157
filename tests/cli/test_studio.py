"""``mailer studio``: the link of the first account, and letting people in from the command line."""

import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.campaigns.worker import count_workers
from mailer.cli import mailer
from mailer.cli.commands.server import say_how_to_begin
from mailer.cli.context import CliContext
from mailer.database.team_models import ActivityRecord
from mailer.settings import StudioSettings
from mailer.workspace import Workspace
from tests.servers.process import free_port, wait_until
from tests.web.site import dump_tables, opened_engine, send_request

_FIRST_LINK = re.compile(r"(http://localhost:\d+)(/studio/first/[0-9a-f]{48})")
_LINK = re.compile(r"(https?://\S+)/link/[0-9a-f]{48}$", re.MULTILINE)


def run(root: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words], env=environ)


def test_studio_prints_the_link_of_the_first_account_while_there_is_none(workspace: Workspace) -> None:
    port = free_port()
    command = [sys.executable, "-m", "mailer", "-C", str(workspace.root), "studio", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            found = next(found for line in lines if (found := _FIRST_LINK.search(line)))
            answer = send_request(f"http://127.0.0.1:{port}", "GET", found[2], headers={"host": "localhost"})
            assert answer.status == 200
            assert b"You are the first here" in answer.body
            # It sends what is launched there, too.
            with opened_engine(workspace) as engine:
                wait_until(lambda: count_workers(workspace, engine) == 1, what="its worker")
        finally:
            process.send_signal(signal.SIGINT)


def test_a_person_is_let_in_and_let_in_again(workspace: Workspace) -> None:
    invite = ("studio", "invite", "Mei@example.org", "--name", "Mei Manager", "--role", "manager")
    first = run(workspace.root, *invite)
    assert first.exit_code == 0, first.output
    assert "Mei Manager now belongs to the team, as manager." in first.stderr
    again = run(workspace.root, "studio", "invite", "mei@example.org", "--role", "guest")
    assert "belongs to the team already, as manager." in again.stderr
    links = [_LINK.search(result.stdout) for result in (first, again)]
    assert all(link is not None and link[1] == "http://localhost:8028/studio" for link in links)
    served = run(workspace.root, "studio", "invite", "a@example.org", MAILER_STUDIO__ENABLED="true")
    assert "http://127.0.0.1:8025/studio/link/" in served.stdout
    wrong = run(workspace.root, "studio", "invite", "nobody")
    assert wrong.exit_code == 1
    assert "nobody" in wrong.stderr


def test_who_has_left_is_erased_and_who_has_not_is_not(workspace: Workspace) -> None:
    run(workspace.root, "studio", "invite", "mei@example.org", "--name", "Mei")
    refused = run(workspace.root, "studio", "erase", "mei@example.org")
    assert (refused.exit_code, "remove them first" in refused.stderr) == (1, True)
    with opened_engine(workspace) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE team_member SET removed_at = created_at"))
    erased = run(workspace.root, "studio", "erase", "mei@example.org")
    assert erased.exit_code == 0, erased.output
    with opened_engine(workspace) as engine:
        assert "mei@example" not in repr(dump_tables(engine))
        with Session(engine) as session:
            assert session.exec(select(ActivityRecord.act)).all()[-1] == Act.erased_person


def test_serving_a_studio_that_has_nobody_says_how_to_begin(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    served = replace(
        workspace, settings=workspace.settings.model_copy(update={"studio": StudioSettings(enabled=True)})
    )
    context = CliContext(workspace.root)
    say_how_to_begin(context, workspace)
    assert capsys.readouterr().err == ""
    say_how_to_begin(context, served)
    assert "studio invite YOUR-ADDRESS --role manager" in capsys.readouterr().err
    run(workspace.root, "studio", "invite", "mei@example.org")
    say_how_to_begin(context, served)
    assert capsys.readouterr().err == ""

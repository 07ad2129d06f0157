"""`mailer providers`: who receives for how many readers, and nobody's name."""

import json

from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.deliveries import add_subscribers


def run(workspace: Workspace, *words: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), "providers", *words])


def fill(workspace: Workspace) -> None:
    engine = workspace.open_database()
    add_subscribers(engine, [f"a{each}@qq.com" for each in range(6)] + ["b@gmail.com", "c@own-office.org"])
    engine.dispose()


def test_providers_are_listed_by_their_readers_with_what_they_accept(workspace: Workspace) -> None:
    fill(workspace)
    result = run(workspace)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1].split()[0] == "qq"
    assert "4,000 an hour" in lines[1]
    assert "under 5" in lines[2]
    assert "own-office.org" not in result.output
    assert "under 5 were not looked up yet" in result.stderr


def test_json_has_the_sources_and_hides_numbers_under_five(workspace: Workspace) -> None:
    fill(workspace)
    told = json.loads(run(workspace, "--json").stdout)
    qq, google = told["providers"]
    assert (qq["key"], qq["readers"], google["readers"], told["unknown"]) == ("qq", 6, None, None)
    assert {ask["what"] for ask in qq["asks"]} >= {"spf", "dkim", "dmarc"}
    assert all(ask["source"].startswith("http") and ask["date"] for ask in qq["asks"])


def test_all_providers_can_be_shown_and_a_wrong_limit_is_named(workspace: Workspace) -> None:
    assert "trend_micro" in run(workspace, "--all").stdout
    settings = workspace.root / "mailer.toml"
    settings.write_text(settings.read_text() + "\n[provider_rates]\nqqq = 1\n")
    result = run(workspace)
    assert result.exit_code == 1
    assert "Did you mean qq?" in result.stderr

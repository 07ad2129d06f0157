"""Counting clicks as a person asks for it: the option, the setting, and what the commands say of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.small_edition import SLUG, add_people, write_edition, write_links

SENDING = ("send", SLUG, "--segment", "country:MN,CN")


@pytest.fixture
def root(workspace: Workspace) -> Path:
    write_links(write_edition(workspace.editions))
    engine = workspace.open_database()
    add_people(engine)
    engine.dispose()
    return workspace.root


def run(root: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words], env=environ)


def test_the_preview_says_on_how_many_links_clicks_are_counted(root: Path) -> None:
    assert "clicks are counted on 3 links" in run(root, *SENDING, "--count-clicks").stdout
    assert "clicks" not in run(root, *SENDING).stdout
    shown = json.loads(run(root, *SENDING, "--count-clicks", "--json").stdout)
    assert (shown["counts_clicks"], shown["counted_links"]) == (True, 3)


def test_a_campaign_shows_that_it_counts(root: Path) -> None:
    assert run(root, *SENDING, "--count-clicks", "--confirm", "--detach").exit_code == 0
    assert "clicks   are counted" in run(root, "campaigns", "show", "1").stdout
    assert json.loads(run(root, "campaigns", "show", "1", "--json").stdout)["counts_clicks"] is True


def test_the_setting_counts_and_the_option_overrules_it(root: Path) -> None:
    setting = {"MAILER_CAMPAIGNS__COUNT_CLICKS": "true"}
    assert "clicks are counted" in run(root, *SENDING, **setting).stdout
    assert "clicks" not in run(root, *SENDING, "--no-count-clicks", **setting).stdout


def test_a_test_has_no_clicks_to_count(root: Path) -> None:
    refused = run(root, "send", SLUG, "--test", "me@example.org", "--count-clicks")
    assert refused.exit_code == 2
    assert "--count-clicks" in refused.stderr


def test_an_approval_names_the_option_to_send_with(root: Path) -> None:
    approve = ("campaigns", "approve", SLUG, "--segment", "all", "--as", "Mei")
    approved = run(root, *approve, "--count-clicks")
    assert "clicks are counted on 3 links" in approved.stdout
    assert "--count-clicks --confirm" in approved.stderr
    required = {"MAILER_CAMPAIGNS__APPROVAL": "required"}
    refused = run(root, "send", SLUG, "--segment", "all", "--confirm", "--detach", **required)
    assert refused.exit_code == 1
    assert "clicks on its links, which are no longer counted" in refused.stderr
    sent = ("send", SLUG, "--segment", "all", "--count-clicks", "--confirm", "--detach")
    assert run(root, *sent, **required).exit_code == 0


def test_sending_again_in_another_way_names_the_option(root: Path) -> None:
    run(root, *SENDING, "--count-clicks", "--confirm", "--detach")
    refused = run(root, *SENDING, "--confirm", "--detach")
    assert refused.exit_code == 1
    assert "Continue it with --count-clicks, or cancel it with `mailer campaigns cancel 1`." in refused.stderr

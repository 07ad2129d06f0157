"""``mailer campaigns report --page``, run as people run it."""

import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from mailer.cli import mailer
from mailer.database.models import CampaignState
from mailer.workspace import Workspace
from tests.factories.deliveries import START, add_campaign
from tests.paths import ROOT
from tests.web.site import opened_engine, send_request


@pytest.fixture
def root(workspace: Workspace) -> Path:
    with opened_engine(workspace) as engine:
        add_campaign(engine, 3, launched_at=START, state=CampaignState.finished)
    return workspace.root


@pytest.mark.parametrize(
    ("words", "path", "heading"), [(["1"], "/campaigns/1", "Spring"), ([], "/", "All campaigns")]
)
def test_the_address_that_is_printed_opens_the_report(
    root: Path, words: list[str], path: str, heading: str
) -> None:
    command = [sys.executable, "-m", "mailer", "-C", str(root), "campaigns", "report", *words, "--page"]
    with subprocess.Popen(
        [*command, "--port", "0", "--no-open"], stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        assert "Press Ctrl-C to stop." in said[0]
        address = urlsplit(said[1].removeprefix("Open ").strip())
        assert (address.hostname, address.path) == ("127.0.0.1", path)
        url = f"http://{address.netloc}"
        first = send_request(url, "GET", f"{address.path}?{address.query}")
        cookie = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        page = send_request(url, "GET", first.headers["location"], headers=cookie)
        assert (page.status, f"<h1>{heading}</h1>" in page.text) == (200, True)
        assert send_request(url, "GET", path).status == 403
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["2", "--page"], 1, "There is no campaign 2."),
        (["1", "--port", "0"], 2, "--port only works together with --page."),
        (["1", "--page", "--json"], 2, "--page shows everything in the browser."),
        (["1", "--page", "--csv", "refused.csv"], 2, "--page shows everything in the browser."),
    ],
)
def test_what_cannot_be_shown_is_said_in_the_terminal(
    root: Path, words: list[str], code: int, said: str
) -> None:
    told = CliRunner().invoke(mailer, ["-C", str(root), "campaigns", "report", *words])
    assert told.exit_code == code
    assert said in told.output

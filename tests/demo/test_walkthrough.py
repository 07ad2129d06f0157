"""`mailer demo`, run as a new user would run it, and checked afterwards."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mailer.feedback.simulator.returned_mails import SimulatedRecipient
from tests.paths import ROOT

pytestmark = pytest.mark.spare


def mailer(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mailer", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def ask(root: Path, *words: str) -> Any:
    """What a command answers as JSON."""
    return json.loads(mailer("-C", str(root), *words, "--json", cwd=root).stdout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder a demo ran in, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = mailer("demo", "--no-browser", "--dir", "D", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "D", done.stdout


def test_the_demo_ends_with_a_closing_equation_that_holds(demo: tuple[Path, str]) -> None:
    line = next(line for line in demo[1].splitlines() if "Every reader is accounted for" in line)
    audience, *parts = (int(number) for number in re.findall(r"\d+", line))
    assert audience == sum(parts) > 0


def test_the_preview_sends_nothing(demo: tuple[Path, str]) -> None:
    assert "the SMTP server has received 0 messages" in demo[1]


def test_everybody_got_it_once_before_it_was_sent_again(demo: tuple[Path, str]) -> None:
    root, _ = demo
    received = [path.read_bytes() for path in sorted((root / "received" / "new").iterdir())]
    recipients = [re.search(rb"^X-Envelope-To: (.*?)\r?$", mail, re.M)[1] for mail in received]  # type: ignore[index]
    assert len(set(recipients[:60])) == 60
    # Then all but one, nine of the ten simulated readers, and the letters of two that went on.
    assert len(recipients) == 60 + 59 + 9 + 2


def test_the_reader_who_left_is_suppressed_and_got_nothing_more(demo: tuple[Path, str]) -> None:
    root, _ = demo
    shown = ask(root, "campaigns", "show", "3")
    assert (shown["suppressed"], shown["sent"]) == (1, 59)
    (person,) = ask(root, "subscribers", "list", "--segment", "status:unsubscribed -tag:simulator")
    known = ask(root, "subscribers", "show", person["email"])
    assert "one-click" in {record["method"] for record in known["consent"]}
    # Lower-case, because the envelope keeps the address as its owner writes it.
    received = [path.read_bytes().lower() for path in (root / "received" / "new").iterdir()]
    assert sum(f"x-envelope-to: {person['email']}\r\n".encode() in mail for mail in received) == 1


def test_each_simulated_reader_ends_as_their_kind_does_and_the_doubt_is_settled(
    demo: tuple[Path, str],
) -> None:
    root, printed = demo
    shown = dict(re.findall(r"^   (\w+)@simulator\.example +(.*)$", printed, re.MULTILINE))
    assert set(shown) == set(SimulatedRecipient)
    gone = {name for name, what in shown.items() if what.endswith("gets no more mail")}
    people = ask(root, "subscribers", "list", "--segment", "tag:simulator")
    assert gone == {one["email"].partition("@")[0] for one in people if one["status"] != "active"}
    assert gone == {"reject", "bounce", "complain", "leave"}
    assert shown["silent"].startswith("in doubt; replied")
    assert shown["silent"].endswith("the doubt is settled")
    assert ask(root, "campaigns", "show", "4")["in_doubt"] == 0
    assert "2 letters of people went on to newsletter@demo.example.org" in printed
    assert "your decision: Sarah Okafor <sarah.okafor@simulator.example>" in printed


def test_the_readme_shows_what_the_demo_prints(demo: tuple[Path, str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(\d  .*?)```", readme, re.DOTALL)
    assert shown is not None
    assert shown[1].rstrip() in demo[1]


def test_the_page_it_points_to_shows_its_pictures_from_disk(demo: tuple[Path, str]) -> None:
    root, _ = demo
    page = (root / "outbox" / "unesco-beijing-2021-2.html").read_text(encoding="utf-8")
    sources = re.findall(r'<img[^>]* src="([^"]+)"', page)
    assert len(sources) >= 26
    assert all((root / "outbox" / source).resolve().is_file() for source in sources)


def test_it_can_be_run_again_in_its_own_folder_and_in_no_other(tmp_path: Path) -> None:
    (tmp_path / "D").mkdir()
    (tmp_path / "D" / "thesis.txt").write_text("mine")
    refused = mailer("demo", "--no-browser", "--dir", "D", cwd=tmp_path)
    assert refused.returncode == 1
    assert "--dir" in refused.stderr
    assert (tmp_path / "D" / "thesis.txt").read_text() == "mine"


def test_it_ends_in_studio_where_a_guest_reads_the_report(demo: tuple[Path, str]) -> None:
    """The same as at a terminal, for a demo that has run: what is new is the end."""
    code = (
        "import sys; from pathlib import Path; from mailer.demo import show_in_studio;"
        "from mailer.demo import find_free_port;"
        "show_in_studio(Path(sys.argv[1]), announce=lambda link: print(link, flush=True),"
        " free_port=lambda _: find_free_port(0))"
    )
    studio = subprocess.Popen([sys.executable, "-c", code, str(demo[0])], stdout=subprocess.PIPE, text=True)
    try:
        assert studio.stdout is not None
        link = studio.stdout.readline().strip()
        assert re.fullmatch(r"http://localhost:\d+/studio/link/[\w-]{20,}", link)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(link, timeout=60).read().decode()
        assert "Sign in" in page
        button = urllib.request.Request(link, data=b"", method="POST")
        button.add_header("sec-fetch-site", "same-origin")
        button.add_header("content-type", "application/x-www-form-urlencoded")
        with opener.open(button, timeout=60) as answer:
            report = answer.read().decode()
            assert answer.url.endswith("/studio/campaigns/3/report")
        assert "Guest" in report
        assert "59" in report
        with pytest.raises(urllib.error.HTTPError, match="410"):
            urllib.request.urlopen(link, timeout=60)
    finally:
        studio.send_signal(signal.SIGINT)
        assert studio.wait(30) == 0
        studio.stdout.close()  # type: ignore[union-attr]


def test_without_a_terminal_it_ends_by_itself(demo: tuple[Path, str]) -> None:
    assert "The report in Studio" not in demo[1]

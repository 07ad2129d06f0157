"""The disk fills up while a campaign runs: SQLite is on a tmpfs, which needs root (in a namespace)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailer.settings import DatabaseSettings
from mailer.workspace import Workspace
from tests.acceptance.campaign_driver import PROJECT, CampaignDriver, addresses
from tests.acceptance.small_disk import fill, small_disk
from tests.servers.process import wait_until
from tests.servers.scripted_smtp import ScriptedServer

Figure = Callable[[str], None]
READERS = 400


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on an eight-megabyte file system."""
    with small_disk(tmp_path / "disk", megabytes=8) as folder:
        yield folder


@pytest.fixture
def driver(workspace: Workspace, disk: Path) -> Iterator[CampaignDriver]:
    shutil.copy(workspace.root / "mailer.db", disk / "mailer.db")
    database = DatabaseSettings(url=f"sqlite:///{disk}/mailer.db")
    workspace = replace(workspace, settings=workspace.settings.model_copy(update={"database": database}))
    engine = workspace.open_database(durable=True)
    yield CampaignDriver(workspace=workspace, engine=engine, url="", smtp={"connections": 4})
    engine.dispose()


@pytest.mark.skipif(os.getuid() != 0, reason="run again below, as root of a namespace of its own")
def test_a_full_disk_stops_the_campaign_and_loses_no_reader(
    driver: CampaignDriver, disk: Path, figure: Figure
) -> None:
    driver.launch(addresses(READERS), rate=150)
    with ScriptedServer() as server:
        driver.url = server.url
        process = driver.start("campaigns", "resume", "1")
        wait_until(lambda: len(server.kept) >= 20, what="20 messages", seconds=60)
        ballast = fill(disk)
        _, err = process.communicate(timeout=120)
        before = len(server.kept)

        assert process.returncode == 1
        assert "database" in err
        assert "full" in err
        assert before < READERS
        driver.note_doubts()
        driver.check(server.message_ids())
        assert driver.count().still_to_do > 0

        ballast.unlink()
        assert driver.run("campaigns", "resume", "1").returncode == 0
        driver.note_doubts()
        driver.check(server.message_ids())
        if driver.doubted:
            assert driver.run("campaigns", "resume", "1", "--resend-in-doubt").returncode == 0
        twice = driver.check_end(server.message_ids())
    figure(
        f"the disk was full after {before} of {READERS} messages: stopped with exit code 1, every message "
        f"handed over is in the ledger, 0 lost, {len(driver.doubted)} in doubt, {twice} duplicates, all named"
    )


@pytest.mark.skipif(os.getuid() == 0, reason="root has run it above")
def test_a_full_disk_in_a_separate_namespace(figure: Figure) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", __file__]
    test = test_a_full_disk_stops_the_campaign_and_loses_no_reader.__name__
    command = ["unshare", "--user", "--map-root-user", "--mount", *words, "-k", test]
    if shutil.which("unshare") is None or subprocess.run([*command[:4], "true"], check=False).returncode:
        pytest.skip("neither root nor a namespace of our own, so no small file system can be mounted")
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 0, done.stdout
    for line in done.stdout.splitlines():
        if line.startswith("the disk was full"):
            figure(line)

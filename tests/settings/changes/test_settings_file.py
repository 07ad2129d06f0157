"""Changing mailer.toml: valid, whole, under a lock, and never over what somebody else wrote."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mailer.errors import ConfigurationError
from mailer.settings import InvalidSettingsError, Settings, load_settings
from mailer.settings.changes.settings_file import (
    FileNotWrittenError,
    OverriddenError,
    OvertakenError,
    change_settings,
)
from tests.conftest import SETTINGS

NAME, CITY = ("sender", "name"), ("sender", "postal_address")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def read(folder: Path) -> str:
    return (folder / "mailer.toml").read_text(encoding="utf-8")


def change(folder: Path, changes: dict[Any, Any], was: dict[Any, Any] | None = None) -> Settings:
    return change_settings(folder, changes, was=was or {}, environ={})


def test_what_is_returned_is_what_is_loaded_afterwards(folder: Path) -> None:
    settings = change(folder, {NAME: "New", ("campaigns", "rate"): 3}, {NAME: "UNESCO Beijing"})
    assert settings == load_settings(folder, {})
    assert (settings.sender.name, settings.campaigns.rate) == ("New", 3)
    assert read(folder) == SETTINGS.replace('"UNESCO Beijing"', '"New"') + "\n[campaigns]\nrate = 3\n"


def test_a_change_that_the_program_could_not_load_is_refused_with_its_place(folder: Path) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        change(folder, {("sender", "address"): "nobody", ("campaigns", "rate"): -1})
    assert [fault.place for fault in caught.value.faults] == [("sender", "address"), ("campaigns", "rate")]
    assert caught.value.faults[1].kind == "greater_than"
    assert read(folder) == SETTINGS


def test_the_caller_s_own_check_refuses_too(folder: Path) -> None:
    def refuse(settings: Settings) -> None:
        raise ConfigurationError(f"not {settings.sender.name}")

    with pytest.raises(ConfigurationError, match="not New"):
        change_settings(folder, {NAME: "New"}, was={}, environ={}, check=refuse)
    assert read(folder) == SETTINGS


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(folder: Path) -> None:
    (folder / "mailer.toml").write_text(SETTINGS.replace("UNESCO Beijing", "Theirs"), encoding="utf-8")
    with pytest.raises(OvertakenError) as caught:
        change(folder, {NAME: "Mine"}, {NAME: "UNESCO Beijing"})
    assert caught.value.current == {NAME: "Theirs"}
    assert "Theirs" in read(folder)
    # The same change twice is no conflict, and neither is another key.
    change(folder, {NAME: "Theirs", CITY: "Elsewhere 7"}, {NAME: "UNESCO Beijing"})
    assert "Elsewhere 7" in read(folder)


def test_what_a_variable_overrides_cannot_be_changed_here(folder: Path) -> None:
    environ = {"MAILER_SENDER__NAME": "From outside", "MAILER_HOME": "x", "PATH": "y"}
    with pytest.raises(OverriddenError, match=r"sender\.name is set by the variable MAILER_SENDER__NAME"):
        change_settings(folder, {NAME: "New"}, was={}, environ=environ)
    change_settings(folder, {CITY: "Elsewhere 7"}, was={}, environ=environ)
    assert "Elsewhere 7" in read(folder)


def test_permissions_and_links_stay_and_a_read_only_file_is_left_alone(folder: Path) -> None:
    real = folder / "real.toml"
    (folder / "mailer.toml").rename(real)
    (folder / "mailer.toml").symlink_to("real.toml")
    real.chmod(0o640)
    change(folder, {NAME: "New"})
    assert (folder / "mailer.toml").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    real.chmod(0o440)
    with pytest.raises(FileNotWrittenError, match="read-only"):
        change(folder, {NAME: "Newer"})
    assert '"New"' in read(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["mailer.toml", "real.toml"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_leaves_the_file_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_fsync = os.fsync

    def fail(descriptor: int) -> None:
        with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
            full.write(b"x")
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileNotWrittenError, match="No space left"):
        change(folder, {NAME: "New"})
    monkeypatch.undo()
    assert read(folder) == SETTINGS
    assert [path.name for path in folder.iterdir()] == ["mailer.toml"]


@pytest.mark.parametrize("text", ["[sender\n", "[sender]\nname = 7\n", "\xff"])
def test_a_file_with_a_fault_is_explained_and_left_alone(folder: Path, text: str) -> None:
    (folder / "mailer.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"mailer\.toml"):
        change(folder, {NAME: "New"})
    assert (folder / "mailer.toml").read_bytes() == text.encode("latin-1")


def test_those_who_change_it_at_once_lose_no_change(folder: Path) -> None:
    def add_sectors(worker: int) -> None:
        for number in range(6):
            change(folder, {("sectors", f"w{worker}-{number}"): "Name"})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_sectors, range(4)))
    assert len(load_settings(folder, {}).sectors) == 3 + 24
    assert read(folder).startswith(SETTINGS)

"""The servers that the tests start: the configuration for each release, and errors at a failed start."""

import os
import socket
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.servers import dovecot
from tests.servers.browser import find_chromium, find_driver_fault
from tests.servers.dovecot import MailService, read_version, require_dovecot, running_dovecot, write_settings
from tests.servers.process import await_server, end_server

# Debian 12, Ubuntu 24.04, Debian 13.
OLD = ["2.3.19.1 (9b53102964)\n", "2.3.21 (47349e2482)\n"]
NEW = ["2.4.1-4 (7d8c0e5759)\n", "2.10.0 (0000000000)\n"]


def start(script: str, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as words:
        return subprocess.Popen(["/bin/sh", "-c", script], stderr=words)


@pytest.mark.parametrize("version", OLD)
def test_dovecot_2_3_gets_its_own_configuration(version: str, tmp_path: Path) -> None:
    settings = write_settings(version, tmp_path, user="postfix")
    assert "driver = passwd-file" in settings
    assert "dovecot_config_version" not in settings
    assert "passwd_file_path" not in settings


@pytest.mark.parametrize("version", NEW)
def test_dovecot_2_4_gets_its_own_configuration(version: str, tmp_path: Path) -> None:
    settings = write_settings(version, tmp_path, user="postfix")
    assert settings.startswith("dovecot_config_version = ")
    assert "passwd_file_path" in settings
    assert "driver = " not in settings


MAIL = MailService(port=1143, tls_port=1993, uid=65534, gid=65534, quota_kilobytes=40)


@pytest.mark.parametrize("version", OLD)
def test_dovecot_2_3_serves_mailboxes_by_its_own_settings(version: str, tmp_path: Path) -> None:
    settings = write_settings(version, tmp_path, user="root", mail=MAIL)
    assert "protocols = imap\n" in settings
    assert f"mail_location = maildir:{tmp_path}/mail/%u" in settings
    assert "quota_rule = *:storage=40K" in settings
    assert "mail_driver" not in settings


@pytest.mark.parametrize("version", NEW)
def test_dovecot_2_4_serves_mailboxes_by_its_own_settings(version: str, tmp_path: Path) -> None:
    settings = write_settings(version, tmp_path, user="root", mail=MAIL)
    assert "protocols = imap\n" in settings
    assert f"mail_path = {tmp_path}/mail/%{{user}}" in settings
    assert "quota_storage_size = 40K" in settings
    assert "mail_location" not in settings


def test_an_invalid_version_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="'next'"):
        write_settings("next", tmp_path, user="postfix")


def test_the_installed_dovecot_checks_passwords() -> None:
    with (
        running_dovecot({"news": "a secret"}, user="root") as server,
        socket.socket(socket.AF_UNIX) as line,
        line.makefile("rb") as answers,
    ):
        line.settimeout(20)
        line.connect(str(server.auth))
        line.sendall(b"VERSION\t1\t2\nCPID\t%d\n" % os.getpid())
        while answers.readline() != b"DONE\n":
            pass
        for number, password, verdict in ((1, "a secret", b"OK\t1\t"), (2, "another", b"FAIL\t2\t")):
            proof = b64encode(f"\0news\0{password}".encode())
            line.sendall(b"AUTH\t%d\tPLAIN\tservice=smtp\tsecured\tresp=%s\n" % (number, proof))
            assert answers.readline().startswith(verdict)


def test_a_dovecot_that_does_not_start_is_reported_with_its_own_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_dovecot()
    other = NEW[0] if read_version().startswith("2.3") else OLD[0]
    monkeypatch.setattr(dovecot, "read_version", lambda: other)
    with (
        pytest.raises(
            pytest.fail.Exception, match=r"Dovecot ended with \d+ at its start: (?s:.)*dovecot\.conf"
        ),
        running_dovecot({}, user="dovecot"),
    ):
        pass


def test_a_server_that_ends_at_its_start_is_reported_with_its_own_message(tmp_path: Path) -> None:
    server = start("echo 'line 3: unknown setting' >&2; exit 89", tmp_path / "log")
    with pytest.raises(
        pytest.fail.Exception, match="Thing ended with 89 at its start: line 3: unknown setting"
    ):
        await_server(server, lambda: False, name="Thing", logs=[tmp_path / "missing", tmp_path / "log"])


def test_a_server_that_never_answers_is_reported_with_its_own_message(tmp_path: Path) -> None:
    server = start("echo 'waiting for the disk' >&2; exec sleep 60", tmp_path / "log")
    try:
        await_server(server, lambda: bool((tmp_path / "log").read_text()), name="Thing", logs=[])
        with pytest.raises(pytest.fail.Exception, match=r"did not start within 0\.1 s: waiting for the disk"):
            await_server(server, lambda: False, name="Thing", logs=[tmp_path / "log"], seconds=0.1)
    finally:
        end_server(server)


def test_a_server_that_says_nothing_is_reported_too(tmp_path: Path) -> None:
    server = start("exit 1", tmp_path / "log")
    with pytest.raises(pytest.fail.Exception, match="Thing ended with 1 at its start: it wrote nothing"):
        await_server(server, lambda: False, name="Thing", logs=[tmp_path / "log"])


def test_a_browser_driver_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    driver = tmp_path / "node"
    driver.write_text("#!/bin/sh\necho 'libatomic.so.1: cannot open shared object file' >&2; exit 127\n")
    driver.chmod(0o755)
    assert find_driver_fault(driver) == "libatomic.so.1: cannot open shared object file"
    driver.write_text("#!/bin/sh\necho v24.0.0\n")
    assert find_driver_fault(driver) == ""


def test_the_tests_prefer_a_browser_without_a_window_and_do_with_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium(windowless=True) is None
    for name in ("chromium", "chromium-headless-shell"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert find_chromium(windowless=True) == str(tmp_path / name)
    assert find_chromium() == str(tmp_path / "chromium")

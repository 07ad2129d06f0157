"""`scripts/bare` on a machine whose debootstrap and chroot only note how they are called."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

ORDINARY = ["awk", "bash", "cat", "cp", "dirname", "env", "grep", "mkdir"]
ORDINARY += ["rm", "sed", "sort", "tail", "tar", "touch", "uname"]
INDEXES = """\
http://mirror.example/debian/ trixie main
http://mirror.example/debian/ trixie contrib
http://mirror.example/debian/ trixie-updates main
http://mirror.example/security/ trixie-security main
http://other.example/ ./ $(COMPONENT)
"""
SETTINGS = """\
APT::Architecture "amd64";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::Languages:: "none";
"""
# In place of `env -i NAME=VALUE... COMMAND...` in a system.
CHROOT = """\
echo "$*" >>"$CALLS"
case "$*" in
    *"apt-get -q update"*) exit "${APT_CODE:-0}" ;;
    *demo) echo "the demo"; exit "${DEMO_CODE:-0}" ;;
    */debian-12\\ *test)
        if [ -n "$TEST_CODE" ]; then echo "== 1 failed, 7 passed in 3.00s =="; exit "$TEST_CODE"; fi
        echo "== 8 passed, 2 skipped in 3.00s (0:00:03) ==" ;;
    *test) echo "8 passed, 1 warning in 65.00s" ;;
esac
"""
STANDINS = {
    "id": "echo 0",
    "git": """case "$*" in
        *archive*) tar -c -T /dev/null ;;
        *%H*) echo abc1234abc ;;
        *log*) echo "abc1234 (A subject)" ;;
    esac""",
    # All of its options are words without a value.
    "unshare": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "mount": "exit 0",
    "debootstrap": 'echo "debootstrap $2 $4" >>"$CALLS"; mkdir -p "$3/etc/apt/apt.conf.d" "$3/root"',
    "chroot": CHROOT,
    "apt-get": f"cat <<'END'\n{INDEXES}END",
    "apt-config": f"cat <<'END'\n{SETTINGS}END",
}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The script on a Debian 13, with ``bin`` as the only folder on PATH."""
    scripts = tmp_path / "tree" / "scripts"
    scripts.mkdir(parents=True)
    script = (ROOT / "scripts" / "bare").read_text()
    # pip's settings are this test's own; of the system's folders it reads only what every Linux has.
    for name in ("os-release", "pip.conf"):
        script = script.replace(f" /etc/{name}", f" {tmp_path}/{name}")
    (scripts / "bare").write_text(script)
    (scripts / "bare").chmod(0o755)
    (tmp_path / "os-release").write_text("VERSION_CODENAME=trixie\n")
    (tmp_path / "bin").mkdir()
    for name in ORDINARY:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    for name, words in STANDINS.items():
        place(tmp_path, name, words)
    return tmp_path


def place(machine: Path, name: str, words: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o755)


def run(machine: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    names = {"PATH": str(machine / "bin"), "HOME": str(machine), "CALLS": str(machine / "calls")}
    return subprocess.run(
        [str(machine / "tree" / "scripts" / "bare"), *words],
        env=names | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=machine,
    )


def read_calls(machine: Path) -> list[str]:
    path = machine / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_both_releases_are_made_and_tried_and_removed(machine: Path) -> None:
    done = run(machine, "systems")
    assert done.returncode == 0, done.stderr
    calls = [line.replace(f"{machine}/systems/", "") for line in read_calls(machine)]
    assert [line.split()[-1] for line in calls] == [
        "http://mirror.example/debian/",
        "update",
        "python3",
        "demo",
        "test",
    ] * 2
    assert [line.split()[1] for line in calls if line.startswith("debootstrap")] == ["bookworm", "trixie"]
    assert all("CI=true" in line for line in calls if line.endswith(" test"))
    assert done.stderr.splitlines()[0] == "bare: trying abc1234 (A subject)"
    assert done.stderr.splitlines()[-2:] == [
        "bare: Debian 12: green. 8 passed, 2 skipped in 3.00s (0:00:03)",
        "bare: Debian 13: green. 8 passed, 1 warning in 65.00s",
    ]
    assert sorted(path.name for path in (machine / "systems").iterdir()) == ["debian-12.log", "debian-13.log"]


def test_a_system_gets_the_mirrors_and_proxies_of_this_machine(machine: Path) -> None:
    (machine / "pip.conf").write_text(
        "[global]\nindex-url = https://pypi.example/simple\nfind-links = /opt/wheels\n"
        "extra-index-url =\n    https://a.example\n    https://b.example\n"
        "[install]\nconstraint = /etc/constraints.txt\n"
    )
    done = run(
        machine,
        *("--keep", "systems", "12"),
        https_proxy="http://proxy.example:3128",
        PIP_INDEX_URL="https://pypi.example/simple",
        PIP_FIND_LINKS="/opt/wheels",
        SOME_TOKEN="secret",
    )
    assert done.returncode == 0, done.stderr
    etc = machine / "systems" / "debian-12" / "etc"
    assert (etc / "apt" / "sources.list").read_text().splitlines() == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/security/ bookworm-security main",
    ]
    assert (etc / "apt" / "apt.conf.d" / "50this-machine").read_text().splitlines() == [
        'Acquire::Check-Valid-Until "false";',
        'Acquire::http::Proxy "http://proxy.example:3128";',
    ]
    assert (etc / "pip.conf").read_text().splitlines() == [
        "[global]",
        "index-url = https://pypi.example/simple",
        "extra-index-url =",
        "    https://a.example",
        "    https://b.example",
    ]
    assert "localhost" in (etc / "hosts").read_text()
    inside = next(line for line in read_calls(machine) if line.endswith("demo"))
    assert "https_proxy=http://proxy.example:3128" in inside
    assert "PIP_INDEX_URL=" in inside
    assert not {"PIP_FIND_LINKS", "SOME_TOKEN", "CALLS"} & {word.split("=")[0] for word in inside.split()}


def test_a_named_mirror_is_the_only_one(machine: Path) -> None:
    assert run(machine, "--keep", "--mirror", "http://named.example/d", "systems", "13").returncode == 0
    sources = machine / "systems" / "debian-13" / "etc" / "apt" / "sources.list"
    assert sources.read_text() == "deb http://named.example/d trixie main\n"
    assert "debootstrap trixie http://named.example/d" in read_calls(machine)


def test_what_fails_in_one_release_is_shown_and_the_other_is_tried(machine: Path) -> None:
    done = run(machine, "systems", TEST_CODE="2")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-2:] == [
        "bare: Debian 12: RED. 1 failed, 7 passed in 3.00s",
        "bare: Debian 13: green. 8 passed, 1 warning in 65.00s",
    ]
    assert any(line.startswith("bare: Debian 12: make test: FAILED with 2") for line in lines)
    assert "    == 1 failed, 7 passed in 3.00s ==" in lines
    # The system that failed stays, for whoever looks into it, until the next run.
    assert (machine / "systems" / "debian-12").is_dir()
    assert not (machine / "systems" / "debian-13").exists()
    assert run(machine, "systems").returncode == 0
    assert not (machine / "systems" / "debian-12").exists()


@pytest.mark.parametrize(("fault", "last"), [("APT_CODE", "update"), ("DEMO_CODE", "demo")])
def test_nothing_is_tried_after_a_fault(machine: Path, fault: str, last: str) -> None:
    assert run(machine, "systems", "12", **{fault: "1"}).returncode == 1
    assert read_calls(machine)[-1].endswith(f" {last}")


def test_without_a_mirror_of_debian_a_mirror_is_asked_for(machine: Path) -> None:
    place(machine, "apt-get", "echo http://mirror.example/ubuntu noble main")
    done = run(machine, "systems", "12")
    assert done.returncode == 1
    assert "name one with --mirror URL" in done.stderr


def test_somebody_elses_folder_is_left_alone(machine: Path) -> None:
    (machine / "systems" / "debian-12" / "precious").mkdir(parents=True)
    done = run(machine, "systems", "12")
    assert done.returncode == 2
    assert "was not made by this script" in done.stderr
    assert (machine / "systems" / "debian-12" / "precious").is_dir()


@pytest.mark.parametrize("words", [[], ["systems", "11"], ["--what", "systems"], ["--mirror"]])
def test_words_it_does_not_know_are_answered_with_its_usage(machine: Path, words: list[str]) -> None:
    done = run(machine, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: scripts/bare [--keep] [--mirror URL] ROOT [RELEASE...]" in done.stderr


def test_what_it_needs_is_named(machine: Path) -> None:
    (machine / "bin" / "debootstrap").unlink()
    assert "apt-get install debootstrap" in run(machine, "systems").stderr
    place(machine, "id", "echo 1000")
    assert "needs root" in run(machine, "systems").stderr

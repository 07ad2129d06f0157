"""The scripts behind the two commands, on machines that lack this or that."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

# What the scripts take for granted: a shell and the ordinary commands of any Linux.
ORDINARY = [
    "awk",
    "bash",
    "cat",
    "cksum",
    "cut",
    "dirname",
    "env",
    "grep",
    "id",
    "ln",
    "make",
    "mkdir",
    "rm",
    "sed",
    "sh",
]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of what setting up reads, and beside it ``bin``, the only folder on PATH."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "scripts", tree / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".ci", tree / ".ci")
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tree)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ORDINARY:
        (commands / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    return tree


def place_command(tree: Path, name: str, script: str) -> None:
    """Put a command on the bare machine's PATH."""
    path = tree.parent / "bin" / name
    # It may be a link to the machine's own command, which writing would overwrite.
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run_script(tree: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tree / words[0]), *words[1:]],
        env={"PATH": str(tree.parent / "bin"), "HOME": str(tree.parent), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def read_calls(tree: Path) -> list[str]:
    log = tree.parent / "calls"
    return log.read_text().splitlines() if log.exists() else []


def place_uv(tree: Path, version: str) -> None:
    """A uv that notes how it is called, and makes the environment it is asked for."""
    place_command(
        tree,
        "uv",
        f'if [ "$1" = --version ]; then echo "uv {version}"; exit; fi\n'
        f'echo "$* downloads=$UV_PYTHON_DOWNLOADS into=$UV_PROJECT_ENVIRONMENT" >>"{tree.parent}/calls"\n'
        'mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"\n'
        f'ln -sf {sys.executable} "$UV_PROJECT_ENVIRONMENT/bin/python"',
    )


def test_without_a_python_the_setup_says_which_package_to_install(bare: Path) -> None:
    done = run_script(bare, "scripts/setup")
    assert done.returncode == 1
    assert "no Python of at least 3.11" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_a_command_that_only_looks_like_python_is_passed_over(bare: Path) -> None:
    # Version managers put such commands on PATH.
    place_command(bare, "python3", "echo 'python3: not selected' >&2; exit 127")
    place_command(bare, "python3.12", f'exec {sys.executable} "$@"')
    place_uv(bare, "0.13.9")
    assert run_script(bare, "scripts/setup", "test").returncode == 0
    assert f"--python {bare.parent}/bin/python3.12" in read_calls(bare)[0]


def test_without_any_pip_the_setup_says_which_package_to_install(bare: Path) -> None:
    refuse = 'case "$*" in *ensurepip*|"-m pip"*) exit 1 ;; esac'
    place_command(bare, "python3", f'{refuse}\nexec {sys.executable} "$@"')
    packed = list(Path("/usr/share/python-wheels").glob("pip-*.whl"))
    if packed:
        # This machine has the packed pip, which would be found: point the script elsewhere.
        script = bare / "scripts" / "setup"
        script.write_text(script.read_text().replace("/usr/share/python-wheels", "/nowhere"))
    done = run_script(bare, "scripts/setup")
    assert done.returncode == 1
    assert "neither venv nor pip" in done.stderr
    assert "apt-get install python3-venv" in done.stderr


@pytest.mark.parametrize(("kind", "wanted"), [("demo", "--no-dev --inexact"), ("test", "")])
def test_the_locked_dependencies_are_installed_and_no_python_is_downloaded(
    bare: Path, kind: str, wanted: str
) -> None:
    place_command(bare, "python3", f'exec {sys.executable} "$@"')
    place_uv(bare, "0.13.9")
    done = run_script(bare, "scripts/setup", kind, VIRTUAL_ENV="/somebody/elses")
    assert done.returncode == 0, done.stderr
    (call,) = read_calls(bare)
    assert call.startswith("sync --frozen ")
    assert wanted in call
    assert call.endswith("downloads=never into=.venv")


def test_a_second_setup_does_nothing_until_the_dependencies_change(bare: Path) -> None:
    place_command(bare, "python3", f'exec {sys.executable} "$@"')
    place_uv(bare, "0.13.9")
    for kind in ("test", "test", "demo"):
        assert run_script(bare, "scripts/setup", kind).returncode == 0
    assert len(read_calls(bare)) == 1
    with (bare / "uv.lock").open("a") as lock:
        lock.write("\n")
    assert run_script(bare, "scripts/setup", "demo").returncode == 0
    assert len(read_calls(bare)) == 2


def test_everything_is_compiled_to_bytecode_whatever_the_environment_says(bare: Path) -> None:
    place_command(bare, "python3", f'exec {sys.executable} "$@"')
    place_command(
        bare,
        "uv",
        'if [ "$1" = --version ]; then echo "uv 0.13.9"; exit; fi\n'
        f'echo "compile=$UV_COMPILE_BYTECODE" >>"{bare.parent}/calls"\n'
        'mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"\n'
        f'ln -sf {sys.executable} "$UV_PROJECT_ENVIRONMENT/bin/python"',
    )
    environ = {"PYTHONDONTWRITEBYTECODE": "1", "UV_COMPILE_BYTECODE": "0"}
    for name in ("first", "second"):
        package = bare / "mailer" / name
        package.mkdir(parents=True)
        (package / "module.py").write_text("value = 1\n")
        done = run_script(bare, "scripts/setup", "test", **environ)
        assert done.returncode == 0, done.stderr
        assert list(package.glob("__pycache__/module.*.pyc"))
    assert read_calls(bare) == ["compile=1"]


def place_python(tree: Path, name: str, minor: int) -> None:
    """A Python that says it is 3.``minor``."""
    place_command(
        tree,
        name,
        f'case "$*" in *version_info*1*) echo {minor} ;; --version) echo Python 3.{minor} ;; esac',
    )


def place_venv(tree: Path, minor: int) -> None:
    place_python(tree, "venv-python", minor)
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to(tree.parent / "bin" / "venv-python")


@pytest.fixture
def alone(bare: Path) -> Path:
    """The bare machine without the Python of the machine that it is on."""
    script = bare / "scripts" / "setup"
    script.write_text(script.read_text().replace("/usr/bin/python3", "/nowhere/python3"))
    return bare


def test_the_newest_of_the_newer_pythons_gets_an_environment_of_its_own(alone: Path) -> None:
    place_venv(alone, 11)
    for minor in (12, 13):
        place_python(alone, f"python3.{minor}", minor)
    place_python(alone, "python3", 11)
    place_uv(alone, "0.13.9")
    done = run_script(alone, "scripts/setup", "newer")
    assert done.returncode == 0, done.stderr
    (call,) = read_calls(alone)
    assert f"--python {alone.parent}/bin/python3.13 " in call
    assert call.endswith("into=.venv-newer")


def test_without_a_newer_python_no_environment_is_made_and_an_old_one_goes(alone: Path) -> None:
    place_venv(alone, 13)
    place_python(alone, "python3", 13)
    place_python(alone, "python3.12", 12)
    place_uv(alone, "0.13.9")
    (alone / ".venv-newer").mkdir()
    done = run_script(alone, "scripts/setup", "newer")
    assert done.returncode == 0, done.stderr
    assert "no Python here is newer than that of .venv (Python 3.13)" in done.stderr
    assert read_calls(alone) == []
    assert not (alone / ".venv-newer").exists()


def test_a_newer_python_is_set_up_once_until_there_is_a_still_newer_one(alone: Path) -> None:
    place_venv(alone, 11)
    place_python(alone, "python3.12", 12)
    place_command(
        alone,
        "uv",
        'if [ "$1" = --version ]; then echo "uv 0.13.9"; exit; fi\n'
        f'echo "$*" >>"{alone.parent}/calls"\n'
        'while [ "$1" != --python ]; do shift; done\n'
        'mkdir -p .venv-newer/bin && ln -sf "$2" .venv-newer/bin/python',
    )
    for _ in range(2):
        assert run_script(alone, "scripts/setup", "newer").returncode == 0
    assert len(read_calls(alone)) == 1
    place_python(alone, "python3.14", 14)
    assert run_script(alone, "scripts/setup", "newer").returncode == 0
    assert "python3.14" in read_calls(alone)[1]


def test_a_setup_for_the_demo_is_not_enough_for_the_tests(bare: Path) -> None:
    place_command(bare, "python3", f'exec {sys.executable} "$@"')
    place_uv(bare, "0.13.9")
    for kind in ("demo", "test"):
        assert run_script(bare, "scripts/setup", kind).returncode == 0
    assert len(read_calls(bare)) == 2


def test_a_setup_that_failed_is_tried_again(bare: Path) -> None:
    place_command(bare, "python3", f'exec {sys.executable} "$@"')
    place_command(bare, "uv", 'if [ "$1" = --version ]; then echo "uv 0.13.9"; exit; fi; exit 2')
    assert run_script(bare, "scripts/setup").returncode == 2
    place_uv(bare, "0.13.9")
    assert run_script(bare, "scripts/setup").returncode == 0
    assert len(read_calls(bare)) == 1


# --- system packages ----------------------------------------------------------------------------------------


@pytest.fixture
def machine(bare: Path) -> Path:
    """The script on a machine that has nothing: its /usr, /etc are folders of the test."""
    script = bare / "scripts" / "system-packages"
    text = script.read_text().replace("/usr/", f"{bare.parent}/usr/").replace("/etc/", f"{bare.parent}/etc/")
    script.write_text(text)
    (bare.parent / "usr" / "sbin").mkdir(parents=True)
    (bare.parent / "etc").mkdir()
    for name in ("chmod", "tee", "true"):
        (bare.parent / "bin" / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    return bare


def place_apt(tree: Path, *, code: int = 0) -> None:
    """An apt-get that notes how it is called, and whether services were forbidden to start meanwhile."""
    policy = tree.parent / "usr" / "sbin" / "policy-rc.d"
    place_command(
        tree,
        "apt-get",
        f"[ -x {policy} ] && forbidden=yes\n"
        f'echo "$* $DEBIAN_FRONTEND forbidden=$forbidden" >>"{tree.parent}/calls"\n'
        f"exit {code}",
    )


def test_an_ordinary_user_is_told_what_will_be_skipped(machine: Path) -> None:
    place_command(machine, "id", "echo 1000")
    place_apt(machine)
    done = run_script(machine, "scripts/system-packages")
    assert done.returncode == 0
    assert read_calls(machine) == []
    assert "skipped by name" in done.stderr
    for package in ("postfix", "dovecot-core", "dovecot-imapd", "postgresql", "nginx", "caddy"):
        assert f"{package}: " in done.stderr
    for package in ("chromium", "libatomic1", "fonts-noto-cjk"):
        assert f"{package}: " in done.stderr


def test_root_is_told_before_anything_is_installed_and_no_service_starts(machine: Path) -> None:
    place_command(machine, "id", "echo 0")
    place_command(machine, "debconf-set-selections", f'cat >>"{machine.parent}/preseed"')
    place_apt(machine)
    done = run_script(machine, "scripts/system-packages")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(
        "system packages: installing postfix dovecot-core dovecot-imapd postgresql nginx caddy chromium "
        "libatomic1 fonts-noto-cjk (no service is started)"
    )
    update, install = read_calls(machine)
    assert "update" in update
    assert install.endswith(
        "postfix dovecot-core dovecot-imapd postgresql nginx caddy chromium libatomic1 fonts-noto-cjk "
        "noninteractive forbidden=yes"
    )
    assert "No configuration" in (machine.parent / "preseed").read_text()
    assert not (machine.parent / "usr" / "sbin" / "policy-rc.d").exists()


def test_the_judges_have_packages_of_their_own(machine: Path) -> None:
    place_command(machine, "id", "echo 0")
    place_command(machine, "java", "exit 0")
    place_apt(machine)
    done = run_script(machine, "scripts/system-packages", "judges")
    assert done.returncode == 0, done.stderr
    _, install = read_calls(machine)
    assert (
        "nodejs npm chromium libatomic1 spamassassin poppler-utils w3m noninteractive forbidden=yes"
        in install
    )
    assert "postfix" not in install
    assert "default-jre-headless" not in install


def test_a_judge_that_cannot_be_installed_is_named(machine: Path) -> None:
    place_command(machine, "id", "echo 1000")
    place_apt(machine)
    done = run_script(machine, "scripts/system-packages", "judges")
    assert done.returncode == 0
    assert "The judges that need these are left out by name" in done.stderr
    assert "default-jre-headless: the Nu HTML checker" in done.stderr


def test_a_kind_of_packages_nobody_knows_is_refused(machine: Path) -> None:
    done = run_script(machine, "scripts/system-packages", "everything")
    assert done.returncode == 2
    assert "usage: scripts/system-packages [tests|judges]" in done.stderr


def test_a_failed_installation_leaves_no_ban_on_services_and_names_what_is_skipped(machine: Path) -> None:
    place_command(machine, "id", "echo 0")
    place_apt(machine, code=100)
    done = run_script(machine, "scripts/system-packages")
    assert done.returncode == 0
    assert "the installation failed" in done.stderr
    assert "postfix: " in done.stderr
    assert not (machine.parent / "usr" / "sbin" / "policy-rc.d").exists()


def test_sudo_is_used_only_where_it_asks_for_no_password(machine: Path) -> None:
    place_command(machine, "id", "echo 1000")
    place_command(machine, "sudo", '[ "$1" = -n ] || exit 1; shift; exec "$@"')
    place_apt(machine)
    assert run_script(machine, "scripts/system-packages").returncode == 0
    assert len(read_calls(machine)) == 2


def test_on_ubuntu_whose_chromium_is_a_snap_the_browser_is_left_to_the_person(machine: Path) -> None:
    (machine.parent / "etc" / "os-release").write_text("NAME=Ubuntu\nID=ubuntu\n")
    place_command(machine, "id", "echo 0")
    place_apt(machine)
    done = run_script(machine, "scripts/system-packages")
    assert "the browser tests need one" in done.stderr
    assert "chromium" not in read_calls(machine)[1]


@pytest.mark.parametrize("kind", ["tests", "judges"])
def test_the_browser_without_a_window_is_installed_for_the_tests_where_it_is_known(
    machine: Path, kind: str
) -> None:
    place_command(machine, "id", "echo 0")
    # As on a new machine, where nothing is known before the first update.
    knows = f'[ -e "{machine.parent}/calls" ] && [ "$*" = "show chromium-headless-shell" ]'
    place_command(machine, "apt-cache", knows)
    place_apt(machine)
    assert run_script(machine, "scripts/system-packages", kind).returncode == 0
    assert ("chromium-headless-shell" in read_calls(machine)[1].split()) == (kind == "tests")


def place_all_servers(machine: Path) -> None:
    """All that the tests run against, and a Chromium."""
    for command in ("smtp-sink", "dovecot", "postgres", "initdb", "nginx", "caddy", "chromium"):
        place_command(machine, command, "exit 0")
    place_command(machine, "fc-list", "echo Some Font")
    library = machine.parent / "usr" / "lib" / "x86_64-linux-gnu" / "libatomic.so.1"
    library.parent.mkdir(parents=True)
    library.touch()
    imap = machine.parent / "usr" / "lib" / "dovecot" / "imap"
    imap.parent.mkdir()
    imap.touch(mode=0o755)


def test_what_is_there_is_not_installed_again(machine: Path) -> None:
    place_command(machine, "id", "echo 0")
    place_all_servers(machine)
    place_apt(machine)
    done = run_script(machine, "scripts/system-packages")
    assert (done.returncode, done.stderr, read_calls(machine)) == (0, "", [])


@pytest.mark.parametrize("user", [0, 1000])
def test_beside_a_chromium_the_one_without_a_window_is_installed_or_not_spoken_of(
    machine: Path, user: int
) -> None:
    place_command(machine, "id", f"echo {user}")
    place_command(machine, "apt-cache", "exit 0")
    place_all_servers(machine)
    place_apt(machine)
    done = run_script(machine, "scripts/system-packages")
    assert done.returncode == 0
    if user == 0:
        assert done.stderr.split("\n")[0].split()[3] == "chromium-headless-shell"
        assert read_calls(machine)[1].split()[-3] == "chromium-headless-shell"
    else:
        assert (done.stderr, read_calls(machine)) == ("", [])


# --- what CI runs -------------------------------------------------------------------------------------------


STAGES = (
    "setup",
    "servers",
    "check",
    "editor",
    "judges",
    "tests",
    "test-newer",
    "judge-pages",
    "judge-mails",
    "soak",
)


def run_ci(
    tree: Path, *, failing: str = "", telling: str = "", turns: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run what CI runs with a Makefile whose targets only say their names, and one of which fails; the tests
    tell of something in the file that is named for that."""
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    if turns:
        (tree / "scripts" / "turns.py").write_text(turns)
    rules = [f"{stage}:\n\t@echo stage $@ $(FILES)$(ARGS); exit {2 * (stage == failing)}" for stage in STAGES]
    if telling:
        rules[STAGES.index("tests")] += (
            f"\ntests: tell\ntell:\n\t@echo '{telling}' >>$(patsubst --unattended=%,%,$(word 1,$(ARGS)))"
        )
    (tree / "Makefile").write_text("\n".join([*rules, f".PHONY: {' '.join(STAGES)}", ""]))
    path = f"{tree.parent}/bin{os.pathsep}/usr/bin{os.pathsep}/bin"
    return run_script(tree, ".ci/run", CI="true", PATH=path)


def list_stages(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("stage ")]


def test_ci_runs_everything_where_git_cannot_tell_whose_turn_it_is(bare: Path) -> None:
    done = run_ci(bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(list_stages(done)) == sorted(STAGES)
    assert "everything is due, because there is no history to ask" in done.stdout
    assert "--deselect=tests/web/studio/test_every_page.py::test_every_page_fits_a_desk" in done.stdout
    assert "tests/web/studio/test_hostile_input.py" in done.stdout


def test_ci_runs_nothing_whose_turn_it_is_not(bare: Path) -> None:
    done = run_ci(bare, turns="import sys\nprint(*['tests/test_some.py'] * (sys.argv[1:] == ['soak']))\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {*STAGES} - {*list_stages(done)} == {"test-newer", "judges", "judge-pages", "judge-mails"}
    assert "stage soak tests/test_some.py" in done.stdout
    assert "--deselect" not in done.stdout


def test_ci_says_at_its_end_what_was_unsteady_and_what_was_left_out(bare: Path) -> None:
    done = run_ci(bare, telling="unsteady: tests/test_some.py")
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-2:]
    assert last == ["--- to be mended, or to be run another time ---", "unsteady: tests/test_some.py"]


def test_after_seventy_minutes_ci_begins_no_judge_and_nothing_that_takes_minutes(bare: Path) -> None:
    # The clock of the run, which goes an hour further each time it is asked.
    clock = (
        'echo "$(($(cat hours 2>/dev/null || echo 0) * 3600))"; echo "$(($(cat hours || echo 0) + 1))" >hours'
    )
    place_command(bare, "date", f"cd {bare} && {clock}")
    done = run_ci(bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {*STAGES} - {*list_stages(done)} == {"judge-pages", "soak"}
    told = done.stdout.partition("--- to be mended")[2]
    assert "left out, too late to begin it: make judge-pages FILES=" in told
    assert "left out, too late to begin it: make soak FILES=" in told


@pytest.mark.parametrize("failing", STAGES)
def test_ci_ends_with_the_code_of_what_failed(bare: Path, failing: str) -> None:
    done = run_ci(bare, failing=failing)
    assert done.returncode == 2, done.stdout + done.stderr
    assert (failing == "soak") == ("soak" in list_stages(done))


def test_ci_fails_if_it_cannot_ask_whose_turn_it_is(bare: Path) -> None:
    done = run_ci(bare, turns="raise SystemExit(3)")
    assert done.returncode == 3
    assert list_stages(done) == ["setup"]

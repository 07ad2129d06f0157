"""What people install: the wheel, alone in a fresh environment, run from somewhere else."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.spare

EDITION = "unesco-beijing-2021-2"


def find_uv() -> str:
    """The uv that made this environment: on PATH, or where scripts/setup keeps its own."""
    uv = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".tools" / "bin")]))
    assert uv is not None, "there is no uv on PATH nor in .tools: run `make setup`"
    return uv


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed, with no terminal and nothing of this test run's environment."""
    environ = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    # uv trusts a list of its own, and would miss the authority of a company's proxy: see scripts/setup.
    for authorities in (ROOT / ".tools" / "authorities.crt", Path("/etc/ssl/certs/ca-certificates.crt")):
        if authorities.exists():
            environ.setdefault("SSL_CERT_FILE", str(authorities))
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(find_uv(), "build", "--quiet", "--python", sys.executable, "--out-dir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a fresh environment: the wheel and what it asks for, at the versions of uv.lock."""
    folder = tmp_path_factory.mktemp("installed")
    uv = find_uv()
    locked = folder / "locked.txt"
    run(
        uv,
        "export",
        "--quiet",
        "--frozen",
        "--no-dev",
        "--no-emit-project",
        "--no-hashes",
        "-o",
        locked,
        cwd=ROOT,
    )
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    commands = folder / "venv" / "bin"
    run(uv, "pip", "install", "--quiet", "--python", commands / "python", "-c", locked, wheel, cwd=folder)
    return commands


@pytest.fixture(scope="module")
def elsewhere(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the sample workspace W, made by the installed command."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(installed / "mailer", "init", "W", "--sample", cwd=folder)
    return folder


def test_the_wheel_brings_these_five_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "editions",
        "subscribers",
        "templates",
        "mailer",
        "locales",
    }
    assert len(tops) == 6


@pytest.mark.parametrize(
    "pattern",
    [
        r"templates/email/.+\.mjml\.j2",
        r"templates/.+\.toml",
        r"templates/web/.+\.html",
        r"templates/web/.+\.css",
        r"templates/web/story_editor\.js",
        r"templates/web/story_editor\.js\.br",
        r"templates/web/story_paste\.js",
        r"templates/web/story_paste\.js\.br",
        r"templates/web/htmx\.js\.br",
        r"templates/web/licences/story_editor\.LICENCES\.txt",
        r"templates/web/licences/htmx\.LICENCE\.txt",
        r"editions/samples/.+/edition\.md",
        r"editions/samples/.+/stories/.+\.md",
        r"editions/samples/.+/images/.+\.(jpg|png)",
        r"subscribers/samples/partners\.csv",
        r"locales/countries\.toml",
        r"editions/checks/checks\.toml",
        r"mailer/database/migrations/versions/0001_.+\.py",
        r"mailer/database/migrations/script\.py\.mako",
        r".+\.dist-info/licenses/LICENSE",
    ],
)
def test_the_wheel_holds_the_data_that_the_program_reads(wheel: Path, pattern: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert any(re.fullmatch(pattern, name) for name in archive.namelist())


def test_every_data_file_of_the_tree_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    tree = {
        path.relative_to(ROOT).as_posix()
        for package in ("locales", "editions", "subscribers", "templates", "mailer")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert tree - packed == set()


def test_the_source_distribution_holds_what_the_build_and_a_reader_need(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        ".importlinter",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "docs/architecture.md",
        "tests/test_package.py",
        "studio/build.mjs",
        "studio/package-lock.json",
        "studio/src/story_editor.js",
    } <= names
    assert not [name for name in names if name.startswith((".venv", ".tools", ".git/"))]
    assert not [name for name in names if "node_modules" in name]


def test_the_command_says_its_version_and_its_help(installed: Path, tmp_path: Path) -> None:
    version = run(installed / "mailer", "--version", cwd=tmp_path)
    assert re.fullmatch(r"partner-mailer \d+\.\d+\.\d+\S*\n", version.stdout)
    for words in ([installed / "mailer"], [installed / "python", "-m", "mailer"]):
        page = run(*words, "--help", cwd=tmp_path)
        assert page.stdout.startswith("Usage: mailer ")
        assert page.stderr == ""


def test_the_sample_edition_of_the_wheel_has_no_errors(installed: Path, elsewhere: Path) -> None:
    answer = run(installed / "mailer", "-C", "W", "check", EDITION, "--json", cwd=elsewhere)
    problems = json.loads(answer.stdout)["problems"]
    assert [problem for problem in problems if problem["level"] == "error"] == []


@pytest.mark.spare
def test_the_demo_of_the_wheel_ends_by_itself_and_its_equation_holds(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "mailer", "demo", "--no-browser", cwd=tmp_path)
    _, _, equation = (shown.stdout + shown.stderr).partition("Every reader is accounted for")
    audience, *parts = (
        int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", equation.split("\n\n")[0])
    )
    assert audience == sum(parts) > 0


def test_folders_of_the_user_with_our_names_do_not_get_in_the_way(installed: Path, elsewhere: Path) -> None:
    # A workspace has editions/ and templates/ of its own, and people start the program inside it.
    for package in ("editions", "templates", "subscribers", "mailer"):
        (elsewhere / package).mkdir(exist_ok=True)
    for words in ([installed / "mailer"], [installed / "python", "-m", "mailer"]):
        run(*words, "-C", "W", "check", EDITION, "--json", cwd=elsewhere)


def test_the_command_does_not_import_packages_of_the_working_folder(installed: Path, elsewhere: Path) -> None:
    # `python -m` puts the working folder first, so that only the command promises this.
    for package in ("editions", "templates", "subscribers"):
        (elsewhere / package).mkdir(exist_ok=True)
        (elsewhere / package / "__init__.py").write_text(
            "raise SystemExit('imported from the working folder')\n"
        )
    run(installed / "mailer", "-C", "W", "check", EDITION, "--json", cwd=elsewhere)

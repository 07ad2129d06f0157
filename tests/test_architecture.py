"""How the house is built: what may import what, what each name is called, what costs the first second."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("locales", "editions", "subscribers", "templates", "mailer")
GENERIC = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def list_modules(root: Path = ROOT) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def list_files() -> Iterator[Path]:
    """Every file that is part of the project, without what tools leave behind."""
    left_behind = {"__pycache__", "node_modules", "dist", "build", "demo"}
    for folder, names, files in os.walk(ROOT):
        names[:] = [
            name
            for name in names
            if name not in left_behind
            and (not name.startswith(".") or name == ".ci")
            and not name.endswith(".egg-info")
        ]
        # In another worktree of the repository, .git is a file that names a place.
        yield from (Path(folder) / name for name in files if name != ".git")


def read_text(path: Path) -> str:
    """The words of a file; of pictures and other binary files, none."""
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode("utf-8", errors="replace")


# --- the direction of imports -------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their contracts, to plant faults in."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("__pycache__", "samples"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    # PYTHONPATH: the tree in hand must be read, not the one that is installed.
    environ = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"}
    program = (
        "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=root, env=environ, capture_output=True, text=True
    )


def test_imports_only_point_down(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "statement", "complaint"),
    [
        ("mailer/utils.py", "", "mailer.utils"),
        (
            "mailer/rendering/planted.py",
            "import mailer.web",
            "mailer.rendering is not allowed to import mailer.web",
        ),
        (
            "mailer/selfservice/planted.py",
            "import mailer.campaigns",
            "mailer.selfservice is not allowed to import",
        ),
        ("editions/planted.py", "import mailer.errors", "editions is not allowed to import mailer"),
        ("subscribers/planted.py", "import editions", "subscribers is not allowed to import editions"),
        ("mailer/dispatch/planted.py", "import click", "mailer.dispatch is not allowed to import click"),
        ("mailer/smtp/planted.py", "import mailer.errors", "mailer.smtp is not allowed to import mailer"),
        ("mailer/smtp/errors.py", "import sqlalchemy", "mailer.smtp is not allowed to import sqlalchemy"),
        ("mailer/smtp/auth.py", "import mailer.smtp.probe", "mailer.smtp.auth is not allowed to import"),
        (
            "mailer/dispatch/relay_settings.py",
            "import mailer.dispatch.dispatcher",
            "mailer.dispatch.relay_settings is not allowed to import mailer.dispatch.dispatcher",
        ),
        ("mailer/cli/planted.py", "import fastapi", "mailer.cli is not allowed to import fastapi"),
    ],
)
def test_a_planted_import_or_room_turns_the_rule_red(
    copy: Path, module: str, statement: str, complaint: str
) -> None:
    (copy / module).write_text(f'"""Planted."""\n\n{statement}\n')
    done = lint_imports(copy)
    assert done.returncode == 1
    assert complaint in " ".join(done.stdout.split())


# --- names and words ----------------------------------------------------------------------------------------


def test_no_module_has_a_name_that_could_hold_anything() -> None:
    generic = [path for path in list_modules() if path.stem in GENERIC or path.parent.name in GENERIC]
    assert generic == []


def list_mute_members(source: str) -> list[str]:
    """Members of enums in ``source`` that no sentence follows."""
    mute = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases)):
            continue
        for statement, following in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                if not said or not str(following.value.value).rstrip().endswith("."):  # type: ignore[attr-defined]
                    mute.append(f"{node.name}: {ast.unparse(statement)}")
    return mute


def test_every_state_says_in_a_sentence_what_it_means() -> None:
    mute = {
        str(path.relative_to(ROOT)): members
        for path in list_modules()
        if (members := list_mute_members(path.read_text()))
    }
    assert mute == {}


def test_a_state_without_a_sentence_is_found() -> None:
    source = 'class State(StrEnum):\n    told = "told"\n    """It is told."""\n\n    mute = "mute"\n'
    assert list_mute_members(source) == ["State: mute = 'mute'"]


def test_every_module_and_package_says_what_it_is_for() -> None:
    silent = [path for path in list_modules() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    # Written in parts, so that this file does not name them either. uv.lock is written by uv.
    hosts = [
        ".".join(parts)
        for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian"))
    ]
    places = ["/".join(("", "work", "")), "/".join(("", "tmp", "pm")), "/".join(("..", "shared", ""))]
    named = [
        (str(path.relative_to(ROOT)), word)
        for path in list_files()
        if path.name != "uv.lock"
        for word in (*hosts, *places)
        if re.search(rf"(?<![\w.]){re.escape(word)}", read_text(path))
    ]
    assert named == []


# --- what is needed, and what the first second costs --------------------------------------------------------


def list_imports(path: Path) -> Iterator[str]:
    """The dotted names a module imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_every_dependency_to_run_is_used() -> None:
    # FastAPI reads forms with the one, zoneinfo knows the time by the other.
    needed_by_others = {"python-multipart", "tzdata"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in project["dependencies"]}
    owners = packages_distributions()
    imported = {name for path in list_modules() for name in list_imports(path)}
    used = {
        owner.lower().replace("_", "-") for name in imported for owner in owners.get(name.split(".")[0], [])
    }
    assert wanted - used - needed_by_others == set()


def test_help_loads_neither_the_web_nor_the_database_nor_the_inliner() -> None:
    program = (
        "import sys\n"
        "from mailer.__main__ import main\n"
        "sys.argv = ['mailer', '--help']\n"
        "try:\n    main()\n"
        "finally:\n    print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: mailer ")
    loaded = set(done.stderr.split())
    assert "click" in loaded
    assert (
        loaded & {"fastapi", "starlette", "uvicorn", "sqlmodel", "sqlalchemy", "alembic", "premailer", "PIL"}
        == set()
    )

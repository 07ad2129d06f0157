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
    shutil.copy(ROOT / ".importlinter", tmp_path)
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
    ("planted", "complaint"),
    [
        ({"mailer/utils.py": ""}, "mailer.utils"),
        (
            {"mailer/rendering/planted.py": "mailer.web"},
            "mailer.rendering is not allowed to import mailer.web",
        ),
        (
            {"mailer/selfservice/planted.py": "mailer.campaigns"},
            "mailer.selfservice is not allowed to import mailer.campaigns",
        ),
        (
            {"mailer/rendering/planted.py": "mailer.utc", "mailer/utc.py": "mailer.errors"},
            "mailer.utc is not allowed to import mailer.errors",
        ),
        ({"editions/planted.py": "mailer.errors"}, "editions is not allowed to import mailer"),
        ({"subscribers/planted.py": "editions"}, "subscribers is not allowed to import editions"),
        ({"locales/planted.py": "templates"}, "locales is not allowed to import templates"),
        ({"mailer/dispatch/planted.py": "click"}, "mailer.dispatch.planted -> click"),
        ({"editions/planted.py": "click"}, "editions.planted -> click"),
        ({"mailer/cli/planted.py": "fastapi"}, "mailer.cli.planted -> fastapi"),
        ({"mailer/team/planted.py": "starlette"}, "mailer.team.planted -> starlette"),
        ({"mailer/doctor/planted.py": "uvicorn"}, "mailer.doctor.planted -> uvicorn"),
        ({"mailer/smtp/planted.py": "mailer.errors"}, "mailer.smtp is not allowed to import mailer.errors"),
        ({"mailer/smtp/planted.py": "sqlalchemy"}, "mailer.smtp is not allowed to import sqlalchemy"),
        (
            {
                "mailer/smtp/planted.py": "mailer.smtp.plotted",
                "mailer/smtp/plotted.py": "mailer.smtp.planted",
            },
            "No cycles are allowed in mailer.smtp.",
        ),
        (
            {
                "subscribers/planted/__init__.py": "subscribers.errors",
                "subscribers/planted/one.py": "subscribers.plotted",
                "subscribers/planted/two.py": "subscribers.errors",
                "subscribers/plotted.py": "subscribers.planted.two",
            },
            "No cycles are allowed in subscribers.",
        ),
        (
            {"mailer/web/public/planted.py": "mailer.web.studio"},
            "mailer.web.public is not allowed to import mailer.web.studio",
        ),
        (
            {"mailer/web/studio/editions/planted.py": "mailer.web.studio.campaigns"},
            "mailer.web.studio.editions is not allowed to import mailer.web.studio.campaigns",
        ),
        (
            {
                "mailer/web/studio/editions/planted.py": "mailer.web.studio.planted",
                "mailer/web/studio/planted.py": "mailer.web.studio.campaigns",
            },
            "mailer.web.studio.editions is not allowed to import mailer.web.studio.campaigns",
        ),
        (
            {"mailer/web/studio/sign_in/planted.py": "mailer.web.studio.home"},
            "mailer.web.studio.sign_in is not allowed to import mailer.web.studio.home",
        ),
    ],
)
def test_a_planted_import_room_or_circle_turns_the_rule_red(
    copy: Path, planted: dict[str, str], complaint: str
) -> None:
    for path, imported in planted.items():
        (copy / path).parent.mkdir(exist_ok=True)
        (copy / path).write_text('"""Planted."""\n' + (f"\nimport {imported}\n" if imported else ""))
    done = lint_imports(copy)
    assert done.returncode == 1
    assert complaint in " ".join(done.stdout.split())


def test_a_module_inside_a_room_needs_no_place_in_the_contracts(copy: Path) -> None:
    (copy / "mailer/dispatch/planted.py").write_text('"""Planted."""\n\nimport mailer.settings\n')
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout + done.stderr


# --- names and words ----------------------------------------------------------------------------------------


def test_no_module_has_a_name_that_could_hold_anything() -> None:
    generic = [path for path in list_modules() if path.stem in GENERIC or path.parent.name in GENERIC]
    assert generic == []


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

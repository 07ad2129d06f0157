"""The question about known faults of dependencies, with a uv that answers as told; and what is declared."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("locales", "editions", "subscribers", "templates", "mailer")


def ask(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    uv = folder / "uv"
    uv.write_text(f"#!/bin/sh\n{script}\n")
    uv.chmod(0o755)
    environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, ROOT / "scripts" / "audit.py"]
    return subprocess.run(command, env=environ, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo '{\"vulnerabilities\": []}'", 0, "audit: no version in uv.lock has a known fault."),
        ('echo \'{"vulnerabilities": ["GHSA-x"]}\'; exit 1', 1, "GHSA-x"),
        ("echo 'cause: dns error' >&2; exit 2", 0, "audit: not asked: cause: dns error"),
        ("echo \"error: unrecognized subcommand 'audit'\" >&2; exit 2", 0, "not asked: error: unrecognized"),
        ("exit 3", 0, "audit: not asked: uv audit ended with 3"),
    ],
)
def test_a_known_fault_fails_and_a_question_nobody_answers_does_not(
    tmp_path: Path, script: str, code: int, words: str
) -> None:
    answer = ask(tmp_path, script)
    assert (answer.returncode, answer.stderr) == (code, "")
    assert words in answer.stdout


def list_imports() -> dict[str, str]:
    """The top-level modules that the program imports, each with one of the files that do."""
    found: dict[str, str] = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(ROOT)))
    return found


def normalise(name: str) -> str:
    """The name as the registry compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_whatever_the_program_imports_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    declared = {normalise(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines}
    known = packages_distributions()
    undeclared = {
        f"{module} ({file})"
        for module, file in list_imports().items()
        if module not in sys.stdlib_module_names
        and module not in PACKAGES
        and not {normalise(name) for name in known.get(module, [])} & declared
    }
    assert undeclared == set()


@pytest.mark.parametrize(("package", "fixed"), [("cryptography", (50,)), ("pillow", (13,)), ("lxml", (6, 1))])
def test_no_version_with_a_fault_that_was_mended_is_accepted(package: str, fixed: tuple[int, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (line,) = [line for line in project["dependencies"] if line.startswith(f"{package}>=")]
    floor = tuple(int(part) for part in line.partition(">=")[2].partition(",")[0].split("."))
    assert floor >= fixed

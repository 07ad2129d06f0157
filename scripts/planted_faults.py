"""Do the tests find what they are there for? Plant one fault at a time, and see which test turns red.

The faults are in planted_faults.toml: slips that an engineer could make, one in each of many rooms. Each is
applied in a copy of the tree, whose tests run until the first fails. That test has to pass without the fault.
"""

import argparse
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LIST: Final = Path(__file__).with_suffix(".toml")
PRODUCTION: Final = ("locales", "editions", "subscribers", "templates", "mailer")

_ALL: Final = ("-m", "not soak and not judges")
_QUICK: Final = re.compile(r"^QUICK := (.+)$", re.MULTILINE)
_LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".tools", ".venv*", ".hypothesis", ".*_cache", "__pycache__", "node_modules"
)
_MAX_SECONDS: Final = 1200
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)


class FaultError(Exception):
    """A fault of the list cannot be planted."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A slip in one room: what ``text`` becomes, and the tests that should find it."""

    name: str
    room: str
    slip: str
    text: str
    instead: str
    tests: tuple[str, ...]


def read_list() -> tuple[Fault, ...]:
    """Return the faults, in the order of the list."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))["fault"]
    return tuple(Fault(**{**values, "tests": tuple(values["tests"])}) for values in listed)


def read_code(root: Path) -> Mapping[Path, str]:
    """Return the production code of a tree."""
    files = (path for folder in PRODUCTION for path in sorted((root / folder).rglob("*.py")))
    return {path: path.read_text(encoding="utf-8") for path in files}


def find_places(code: Mapping[Path, str], text: str) -> list[tuple[Path, re.Match[str]]]:
    """Return where ``text`` is in the code, however its lines are broken."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    pattern = _make_pattern(tokens)
    # Looking for a pattern in all of it takes a second; nearly all files lack one of the words.
    files = ((path, lines) for path, lines in code.items() if all(token in lines for token in tokens))
    return [(path, found) for path, lines in files for found in pattern.finditer(lines)]


def _make_pattern(tokens: Sequence[str]) -> re.Pattern[str]:
    # What is broken over lines has a comma before its last bracket.
    parts = [rf"(?:,\s*)?{re.escape(one)}" if one in ")]}" else re.escape(one) for one in tokens]
    begins, ends = (r"\b" if re.match(r"\w", one) else "" for one in (tokens[0], tokens[-1]))
    return re.compile(begins + r"\s*".join(parts) + ends)


def plant(code: Mapping[Path, str], fault: Fault) -> tuple[Path, str]:
    """Return the file that has the fault's text, and what it contains with the fault.

    Raises:
        FaultError: the text is not there exactly once, or the file would be no Python any more.
    """
    places = find_places(code, fault.text)
    if len(places) != 1:
        where = "".join(f"\n  {path}" for path, _ in places)
        raise FaultError(f"{fault.name}: its text is there {len(places)} times, not once{where}")
    path, found = places[0]
    before = code[path]
    after = before[: found.start()] + fault.instead + before[found.end() :]
    try:
        compile(after, path, "exec")
    except SyntaxError as error:
        raise FaultError(f"{fault.name}: {path} would be no Python: {error}") from error
    return path, after


class Copy:
    """A copy of a tree, in which faults are planted and tests run."""

    def __init__(self, tree: Path, folder: Path, selection: Sequence[str]) -> None:
        self._root = folder / "tree"
        self._selection = selection
        shutil.copytree(tree, self._root, symlinks=True, ignore=_LEFT_OUT)
        self._code = read_code(self._root)
        own = tree / ".venv" / "bin" / "python"
        self._python = str(own) if own.exists() else sys.executable
        for name in (".venv", ".tools"):
            if (tree / name).exists():
                (self._root / name).symlink_to((tree / name).resolve())

    def find_first_red(self, fault: Fault) -> str:
        """Return the first test that fails with the fault and passes without it, "" if none does.

        Raises:
            FaultError: the fault cannot be planted, or its tests do not run.
        """
        path, planted = plant(self._code, fault)
        try:
            _write(path, planted)
            red = self._run(fault.tests)
        finally:
            _write(path, self._code[path])
        if red and self._run((red,)):
            raise FaultError(f"{fault.name}: {red} fails without the fault, too")
        return red

    def _run(self, tests: Sequence[str]) -> str:
        """Run ``tests`` until one fails; return its name, "" if all pass."""
        command = [self._python, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider"]
        # Programs that the tests start have to read the copy, not the tree.
        environ = {**os.environ, "PYTHONPATH": str(self._root), "COLUMNS": "500"}
        try:
            done = subprocess.run(
                [*command, *self._selection, *tests],
                cwd=self._root,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
                timeout=_MAX_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise FaultError(f"{tests}: no answer within {_MAX_SECONDS} s") from error
        found = _FAILED.search(done.stdout)
        if done.returncode not in {0, 1} or (done.returncode == 1) is (found is None):
            raise FaultError(f"{tests} do not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return found[1] if found else ""


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    # What was compiled of another text with the same length in the same second would be taken for this one.
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def read_quick(tree: Path) -> list[str]:
    """Return what `make quick` tells pytest to select."""
    found = _QUICK.search((tree / "Makefile").read_text(encoding="utf-8"))
    return shlex.split(found[1]) if found else []


def run_all(tree: Path, faults: Sequence[Fault], selection: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Plant one fault after another; yield a row of the table for each, and whether it was found."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = Copy(tree, Path(folder), selection)
        for fault in faults:
            begun = time.monotonic()
            try:
                red = copy.find_first_red(fault)
            except FaultError as error:
                yield f"| {fault.name} | {fault.room} | NOT FOUND: {error} | |", False
            else:
                seconds = f"{time.monotonic() - begun:.0f} s"
                yield f"| {fault.name} | {fault.room} | {red or 'NOT FOUND'} | {seconds} |", bool(red)


def main() -> int:
    """Print the table; return 0 if every fault was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--list", action="store_true", help="say what the faults are, and plant none")
    parser.add_argument("--only", metavar="NAME", action="append", help="plant this one (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="run no more than `make quick` does")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the tree to try (this one)")
    given = parser.parse_args()
    faults = [fault for fault in read_list() if not given.only or fault.name in given.only]
    if not faults:
        parser.error("no such fault; --list names them")
    if given.list:
        for fault in faults:
            print(f"{fault.name} ({fault.room}): {fault.slip}")
        return 0
    print("| fault | room | found by | after |\n|---|---|---|---|", flush=True)
    found, tree = 0, given.tree.resolve()
    for row, is_found in run_all(tree, faults, read_quick(tree) if given.quick else _ALL):
        print(row, flush=True)
        found += is_found
    print(f"\n{found} of {len(faults)} found")
    return 0 if found == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())

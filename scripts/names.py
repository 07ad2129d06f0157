"""Report names in the packages that are hard to tell apart: ``names.py [FOLDER]``.

Lists module names used more than once, class names defined more than once, modules over 400 lines, and module
names that end in -ing. It is a report, not a check: the exit status is always 0.
"""

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

PACKAGES = ("editions", "locales", "mailer", "subscribers", "templates")
MAX_LINES = 400

Table = Mapping[str, Sequence[str]]
"""What was found, and where."""


def list_modules(root: Path) -> list[Path]:
    """The modules of every package below ``root``, as paths relative to it."""
    return sorted(
        path.relative_to(root)
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        if path.name != "__main__.py"
    )


def find_repeated_stems(modules: Iterable[Path]) -> Table:
    """Module names that stand for more than one file; packages are left out."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in modules:
        if path.stem != "__init__":
            places[path.stem].append(path.as_posix())
    return _repeated(places)


def find_repeated_classes(root: Path, modules: Iterable[Path]) -> Table:
    """Class names that are defined more than once, private and nested ones included."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in modules:
        for node in ast.walk(ast.parse((root / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.as_posix()}:{node.lineno}")
    return _repeated(places)


def find_long_modules(root: Path, modules: Iterable[Path]) -> Table:
    """Modules with more than :data:`MAX_LINES` lines, the longest first."""
    lines = {path: len((root / path).read_text(encoding="utf-8").splitlines()) for path in modules}
    longest = sorted(lines.items(), key=lambda item: (-item[1], item[0]))
    return {path.as_posix(): [f"{count} lines"] for path, count in longest if count > MAX_LINES}


def find_ing_stems(modules: Iterable[Path]) -> Table:
    """Module names that end in -ing, which name an activity where a noun would name the thing."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in modules:
        if path.stem.endswith("ing"):
            places[path.stem].append(path.as_posix())
    return dict(sorted(places.items()))


def _repeated(places: Mapping[str, Sequence[str]]) -> Table:
    repeated = {name: found for name, found in places.items() if len(found) > 1}
    return dict(sorted(repeated.items(), key=lambda item: (-len(item[1]), item[0])))


def format_table(title: str, table: Table) -> Iterator[str]:
    """The lines of one table: its title with the number of rows, then each name beside its places."""
    yield f"{title}: {len(table) or 'none'}"
    width = max(map(len, table), default=0)
    for name, places in table.items():
        for number, place in enumerate(places):
            yield f"  {'' if number else name:<{width}}  {place}"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().folder.resolve()
    modules = list_modules(root)
    tables = {
        "Module names used more than once": find_repeated_stems(modules),
        "Class names defined more than once": find_repeated_classes(root, modules),
        f"Modules over {MAX_LINES} lines": find_long_modules(root, modules),
        "Module names ending in -ing": find_ing_stems(modules),
    }
    for title, table in tables.items():
        print("\n".join(format_table(title, table)))


if __name__ == "__main__":
    main()

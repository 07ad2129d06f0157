"""Check the documentation: ``check_docs.py [FOLDER]``.

With ``--write``, regenerate the generated parts first.

Checks README, CHANGELOG, CONTRIBUTING and docs/: generated parts are up to date, links between documents
work, every dependency has a reason, and the changelog has an [Unreleased] section.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import generated_docs
from cogapp import Cog

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|<(?:img|a)\b[^>]*?\b(?:src|href)=\"([^\"]+)\""
)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
_ROW = re.compile(r"^\|\s*`([A-Za-z0-9._-]+)`\s*\|(.*)\|\s*$", re.MULTILINE)
_OWN_NAME = "partner-mailer"


def list_documents(root: Path) -> list[Path]:
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def find_broken_links(root: Path) -> Iterator[str]:
    """Find relative links to files or headings that do not exist."""
    for page in list_documents(root):
        prose = _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
        for match in _LINK.finditer(prose):
            link = match[1] or match[2]
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            place, _, anchor = link.partition("#")
            target = page if not place else (page.parent / unquote(place))
            where = f"{page.relative_to(root)}: the link {link} is broken"
            if not target.exists():
                yield f"{where}: {place} does not exist."
            elif anchor and target.suffix == ".md" and anchor not in list_anchors(target):
                yield f"{where}: {target.name} has no heading for #{anchor}."


def list_anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    prose = _FENCE.sub("", document.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose)
    }


def list_dependencies(root: Path) -> set[str]:
    """Return every distribution in pyproject.toml: to build, to run, optional, and to develop."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"].get("optional-dependencies", {}).values(),
        *project.get("dependency-groups", {}).values(),
    ]
    names = {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for group in groups for requirement in group}
    return names - {_OWN_NAME}


def find_unexplained_dependencies(root: Path) -> Iterator[str]:
    """Find dependencies without a row in docs/dependencies.md, and rows without a dependency."""
    page = root / "docs" / "dependencies.md"
    rows = {name.lower(): cells.split("|") for name, cells in _ROW.findall(page.read_text(encoding="utf-8"))}
    wanted = list_dependencies(root)
    for name in sorted(wanted - rows.keys()):
        yield f"docs/dependencies.md: {name} is in pyproject.toml but has no row. Add its reason and licence."
    for name in sorted(rows.keys() - wanted):
        yield f"docs/dependencies.md: {name} has a row but is not in pyproject.toml. Remove the row."
    for name, cells in sorted(rows.items()):
        if len(cells) != 2 or not all(cell.strip() for cell in cells):
            yield f"docs/dependencies.md: {name} needs a reason and a licence."


def find_changelog_faults(root: Path) -> Iterator[str]:
    headings = _HEADING.findall((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if len(headings) < 2 or headings[1] != "[Unreleased]":
        yield 'CHANGELOG.md: the first section must be "## [Unreleased]".'


def run_cog(root: Path, *, write: bool) -> Iterator[str]:
    """Check that the generated parts are up to date, or regenerate them."""
    generated = [path for path in list_documents(root) if "[[[cog" in path.read_text(encoding="utf-8")]
    mode = ["-r"] if write else ["--check"]
    scripts = Path(__file__).resolve().parent
    for path in generated:
        if Cog().main(["cog", "-n", "utf-8", "--verbosity=0", "-I", str(scripts), *mode, str(path)]) != 0:
            yield f"{path.relative_to(root)}: out of date. Run `make docs`."


def compare_files(root: Path, *, write: bool) -> Iterator[str]:
    """Check that fully generated files are up to date, or regenerate them; their folders contain no
    others."""
    files = generated_docs.list_files()
    folders = {(root / name).parent for name in files}
    known = {root / name for name in files}
    strangers = {path for folder in folders for path in folder.glob("*") if path.is_file()} - known
    for path in sorted(strangers):
        # docs/ itself also contains handwritten pages.
        if path.parent != root / "docs":
            yield f"{path.relative_to(root)}: this page is no longer generated. Delete it."
    for name, content in files.items():
        path = root / name
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != content:
            yield f"{name}: out of date. Run `make docs`."


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--write", action="store_true", help="regenerate the generated parts")
    arguments = parser.parse_args()
    root = arguments.folder.resolve()
    faults = [
        *compare_files(root, write=arguments.write),
        *run_cog(root, write=arguments.write),
        *find_broken_links(root),
        *find_unexplained_dependencies(root),
        *find_changelog_faults(root),
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""Compile the pages' catalogues, where one was changed since.

What is compiled is not kept in git: `scripts/setup` runs this, `make translations` does, and the build of the
package (scripts/build_hook.py). It needs nothing but Babel, and that only if there is something to do.
"""

from __future__ import annotations

from pathlib import Path

LOCALE_FOLDER = Path(__file__).parent.parent / "templates" / "locale"


def compile_changed(folder: Path = LOCALE_FOLDER) -> list[Path]:
    """Compile the catalogues below ``folder`` that were changed since; return what was written."""
    written = []
    for source in sorted(folder.rglob("*.po")):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime_ns <= source.stat().st_mtime_ns:
            _compile(source, compiled)
            written.append(compiled)
    return written


def _compile(source: Path, compiled: Path) -> None:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    # Replaced as a whole: somebody may be reading it, or compiling it too.
    whole = compiled.with_name(f".{compiled.name}-new")
    with source.open("rb") as po, whole.open("wb") as mo:
        write_mo(mo, read_po(po))
    whole.replace(compiled)


if __name__ == "__main__":
    compile_changed()

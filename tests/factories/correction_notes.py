"""Notes that correct a story of the small edition."""

from pathlib import Path

_NOTE = """\
---
was: {was}
is: {right}
date: 2026-03-05
---

The organisers told us of their mistake the next day.
"""
_CHINESE = """\
---
was: 六十名教师参加了会面。
is: 八十名教师参加了会面。
---

主办方次日告知了我们。
"""
WAS = "Sixty teachers met."
RIGHT = "Eighty teachers met."


def write_note(folder: Path, *, was: str = WAS, right: str = RIGHT, translated: bool = True) -> Path:
    """Write a note and, if it is ``translated``, the same in Chinese beside it; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "teachers.md"
    note.write_text(_NOTE.format(was=was, right=right), encoding="utf-8")
    translation = folder / "teachers.zh.md"
    translation.unlink(missing_ok=True)
    if translated:
        translation.write_text(_CHINESE, encoding="utf-8")
    return note

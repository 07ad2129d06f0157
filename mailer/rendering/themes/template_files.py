"""Finds templates and their data: the workspace's own first, then ours."""

import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import templates
from editions.source.file_stamp import FileStamp, is_settled, stamp_from_stat
from locales.phrase import Phrase, gettext_noop
from mailer.errors import TemplateError


def template_folders(overrides: Path | None) -> tuple[Path, ...]:
    """The folders to search for templates, in order."""
    return (templates.ROOT,) if overrides is None else (overrides, templates.ROOT)


FileStamps: TypeAlias = tuple[tuple[str, FileStamp], ...]
"""The files that templates may consist of, by path, each with its stamp."""


class _UnknownStateError(Exception):
    """It cannot be determined whether a template has changed."""


def stamp_templates(overrides: Path | None) -> FileStamps | None:
    """Stamps that show whether any template has changed; None while that cannot be determined, because a file
    has just been written or deleted, or is reached through a link."""
    stamps: list[tuple[str, FileStamp]] = []
    try:
        for folder in (overrides, templates.ROOT / "email"):
            if folder is not None and folder.is_dir():
                _stamp_files(str(folder), stamps)
    except (_UnknownStateError, OSError):
        return None
    return tuple(stamps) if all(is_settled(stamp) for _, stamp in stamps) else None


def _stamp_files(folder: str, stamps: list[tuple[str, FileStamp]]) -> None:
    """Add the files below ``folder`` to ``stamps``."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    _stamp_files(entry.path, stamps)
            elif entry.is_file():
                stamps.append((entry.path, stamp_from_stat(entry.stat())))
            elif entry.is_symlink() and entry.is_dir():
                # It may lead anywhere, even in a circle.
                raise _UnknownStateError


def read_toml(name: str, overrides: Path | None) -> dict[str, Any]:
    """Read the data file ``name`` (such as ``email/periodical.toml``), the workspace's lines merged over
    ours.

    Raises:
        TemplateError: there is no such file, or one of them is not valid TOML.
    """
    merged: dict[str, Any] = {}
    found = [path for folder in reversed(template_folders(overrides)) if (path := folder / name).is_file()]
    if not found:
        raise TemplateError(Phrase(gettext_noop("%(name)s: not found among the templates."), name=name))
    for path in found:
        try:
            merged = _merge(merged, _parse_toml(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TemplateError(
                Phrase(
                    gettext_noop("%(path)s: not valid TOML: %(error)s. Fix the line and try again."),
                    path=path,
                    error=error,
                )
            ) from error
    return merged


@lru_cache(maxsize=64)
def _parse_toml(text: str) -> dict[str, Any]:
    """Parse ``text``. The result is shared by all callers with the same text and must not be changed."""
    return tomllib.loads(text)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            merged[key] = _merge(inner, value)
        else:
            merged[key] = value
    return merged

"""Where templates and their data are found: the workspace's own first, then ours."""

import tomllib
from pathlib import Path
from typing import Any

import templates
from mailer.errors import TemplateError


def template_folders(overrides: Path | None) -> tuple[Path, ...]:
    """The folders templates are looked for in, in that order."""
    return (templates.ROOT,) if overrides is None else (overrides, templates.ROOT)


def read_toml(name: str, overrides: Path | None) -> dict[str, Any]:
    """The data of ``name`` (such as ``email/periodical.toml``), the workspace's lines laid over ours.

    Raises:
        TemplateError: there is no such file, or one of them is no TOML.
    """
    merged: dict[str, Any] = {}
    found = [path for folder in reversed(template_folders(overrides)) if (path := folder / name).is_file()]
    if not found:
        raise TemplateError(f"{name}: there is no such file among the templates.")
    for path in found:
        try:
            merged = _lay_over(merged, tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TemplateError(f"{path}: not valid TOML: {error}. Mend the line and try again.") from error
    return merged


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            merged[key] = _lay_over(inner, value)
        else:
            merged[key] = value
    return merged

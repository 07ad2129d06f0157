"""The text parts of the editions in ``tests/golden``, kept beside them: everything one edition says.

Compared by ``tests/golden/test_golden.py``; written again with ``make golden``; read the difference first.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from editions.reader import read_edition
from mailer.rendering.archive_urls import DIGEST_DIGITS
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import anonymous_reader, personalise
from mailer.settings import SETTINGS_FILE, Settings, load_settings
from mailer.workspace_init import format_settings

BASE_URL = "https://news.beijing.example.org"
GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED = GOLDEN / "expected"


def load_sample_settings() -> Settings:
    """The settings of a workspace with the sample, with links such as a real office would have."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / SETTINGS_FILE).write_text(format_settings(None, sample=True), encoding="utf-8")
        return load_settings(Path(folder), {"MAILER_WEB__BASE_URL": BASE_URL})


def list_golden() -> list[Path]:
    """The folders of the editions kept in ``tests/golden``."""
    return sorted(path.parent for path in GOLDEN.glob("*/edition.md"))


def render_texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """The text part of the edition in ``folder``, in each of its languages, and the file that keeps it."""
    settings = load_sample_settings()
    edition = read_edition(folder, sectors=settings.sectors)
    for language in edition.languages:
        compiled = compile_edition(edition, settings, language=language)
        text = personalise(compiled, anonymous_reader(settings)).text
        # The version in the link to the browser changes with every rule of a style sheet.
        text = text.replace(f"?v={compiled.digest[:DIGEST_DIGITS]}", "")
        yield EXPECTED / f"{edition.slug}.{language}.txt", text


def write_texts() -> None:
    """Write every text part as it is today."""
    EXPECTED.mkdir(exist_ok=True)
    for old in EXPECTED.iterdir():
        old.unlink()
    for folder in list_golden():
        for path, text in render_texts(folder):
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    write_texts()

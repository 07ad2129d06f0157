"""What a command loads: a person who asks for help waits for no database, and one who counts for no mail."""

import subprocess
import sys
from pathlib import Path

import pytest

from mailer.workspace import Workspace

NEVER_AT_START = {
    "alembic", "babel", "bs4", "cssutils", "email_validator", "fastapi", "jinja2", "lxml", "mammoth", "mjml",
    "openpyxl", "PIL", "premailer", "psycopg", "rich", "starlette", "uvicorn", "yaml",
}  # fmt: skip
OURS = {
    "mailer.campaigns", "mailer.checks", "mailer.database.models", "mailer.dispatch", "mailer.rendering",
    "mailer.selfservice", "mailer.smtp", "mailer.web", "subscribers.imports", "editions.source",
}  # fmt: skip
DATABASE = {"sqlalchemy", "sqlmodel", "pydantic", "mailer.settings", "subscribers.models"}
PROBE = (
    "import sys\n"
    "from mailer.cli import mailer\n"
    "try:\n"
    "    mailer(sys.argv[1:])\n"
    "finally:\n"
    "    print(*sys.modules, sep='\\n', file=sys.stderr)\n"
)


def list_loaded(cwd: Path, *words: str) -> set[str]:
    """The modules that `mailer WORDS` has loaded at its end."""
    command = [sys.executable, "-c", PROBE, *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stderr.splitlines())


@pytest.mark.parametrize(
    ("words", "never"),
    [
        (("--help",), NEVER_AT_START | OURS | DATABASE),
        (("--version",), NEVER_AT_START | OURS | DATABASE),
        (("subscribers", "--help"), NEVER_AT_START | OURS | DATABASE),
        (("subscribers", "count"), NEVER_AT_START | OURS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_loads_only_what_it_needs(
    workspace: Workspace, words: tuple[str, ...], never: set[str]
) -> None:
    loaded = list_loaded(Path.cwd(), "-C", str(workspace.root), *words)
    assert "click" in loaded
    assert loaded & never == set()

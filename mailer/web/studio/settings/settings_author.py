"""Who changed a setting last: the log has it, unless the file was changed by hand since."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.database.team_models import ActivityRecord
from mailer.settings import SETTINGS_FILE
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.changes.toml_writer import write_keys
from mailer.web.studio.page import StudioPage

_LOOKED_BACK = 100
_WRITING_TIME = timedelta(seconds=30)
"""How long after its line in the log a change may have reached the file."""


def list_own_changes(page: StudioPage, paths: Collection[TomlPath]) -> set[TomlPath]:
    """Those of the settings ``paths`` that the member of ``page`` has changed last."""
    with page.state.read_session() as session:
        lines = _list_lines(session)
    try:
        written = (page.state.workspace.root / SETTINGS_FILE).stat().st_mtime
    except OSError:
        return set()
    # Whoever changes the file by hand leaves no line.
    if not lines or datetime.fromtimestamp(written, UTC) > lines[0].at + _WRITING_TIME:
        return set()
    return {path for path in paths if _find_author(lines, write_keys(path)) == page.member.id}


def _list_lines(session: Session) -> list[ActivityRecord]:
    query = select(ActivityRecord).where(ActivityRecord.act == Act.changed_settings)
    return list(session.exec(query.order_by(col(ActivityRecord.id).desc()).limit(_LOOKED_BACK)))


def _find_author(lines: Collection[ActivityRecord], key: str) -> int | None:
    for line in lines:
        if key in line.subject.split(", "):
            return line.member_id
        if line.subject.endswith("…"):
            # It was shortened, and may have named the key.
            return None
    return None

"""What a copy of the database must say once it is put in place of the database.

A restored ledger does not know whom its campaigns reached after the copy was made, and would send to them
again. Nothing in a restored file tells that it was restored, so the copy is prepared when it is made.
"""

import sqlite3
from datetime import datetime
from typing import Final

from locales.phrase import gettext_noop
from mailer.utc import format_utc

_RESTORED: Final = "The database was restored from a backup"
_SENDING: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, while this campaign was being "
    "sent. Readers who got it after that are queued again. Compare with the relay's log, "
    "then resume or cancel the campaign."
)
_WAITING: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, while this campaign waited for "
    "the end of its canary. If the rest got it after that, cancel the campaign; otherwise "
    "resume it."
)
_PENDING: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, when this launch waited for its "
    "time. If the campaign was sent after that, do not send it again; otherwise launch it "
    "again."
)
_SCHEDULED: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, when this campaign was "
    "scheduled. If it was sent after that, do not send it again; otherwise schedule it again."
)


def hold_campaigns(copy: sqlite3.Connection, now: datetime) -> None:
    """Change a ``copy`` of the database, made at ``now``, so that it starts no message by itself.

    Campaigns that are being sent are paused, those paused for a canary wait for a person, and those that are
    scheduled are not any more. Launches that wait for their time are given up. ``state_reason`` says why. The
    change is in the file when this returns.

    Raises:
        sqlite3.Error: the copy cannot be written.
    """
    at = format_utc(now)
    copy.execute(
        "UPDATE campaign SET state_reason = ?, canary_until = NULL "
        "WHERE state = 'paused' AND canary_until IS NOT NULL",
        (_WAITING % {"at": at},),
    )
    copy.execute(
        "UPDATE campaign SET state = 'paused', state_reason = ? WHERE state = 'sending'",
        (_SENDING % {"at": at},),
    )
    copy.execute(
        "UPDATE campaign SET state_reason = ?, scheduled_at = NULL, state = "
        "CASE WHEN approved_digest <> '' AND approved_digest = digest THEN 'approved' ELSE 'draft' END "
        "WHERE state = 'scheduled'",
        (_SCHEDULED % {"at": at},),
    )
    if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'pending_launch'").fetchone():
        # The copy may be one of an older program's database, made before it is upgraded.
        copy.execute(
            "UPDATE pending_launch SET state = 'refused', reason = ? "
            "WHERE state = 'waiting' OR state = 'unconfirmed'",
            (_PENDING % {"at": at},),
        )
    copy.commit()
    # What is in a write-ahead log would not be part of the file.
    busy, *_ = copy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the copy is in use")


def is_held(state_reason: str) -> bool:
    """Whether a campaign with this reason was held because its database was restored."""
    return state_reason.startswith(_RESTORED)

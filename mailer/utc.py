"""Format times in UTC for people."""

from datetime import UTC, datetime


def format_utc(moment: datetime, *, seconds: bool = False) -> str:
    """Format an aware time to the minute, or to the second: ``2026-12-01 09:00 UTC``."""
    pattern = "%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC"
    return moment.astimezone(UTC).strftime(pattern)

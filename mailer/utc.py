"""Format times in UTC, for people and for JSON."""

from datetime import UTC, datetime


def format_utc(moment: datetime, *, seconds: bool = False) -> str:
    """Format an aware time to the minute, or to the second: ``2026-12-01 09:00 UTC``."""
    pattern = "%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC"
    return moment.astimezone(UTC).strftime(pattern)


def format_iso(moment: datetime) -> str:
    """Format an aware UTC time as RFC 3339 writes it: ``2026-12-01T09:00:00Z``."""
    return moment.isoformat().replace("+00:00", "Z")

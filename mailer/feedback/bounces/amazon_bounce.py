"""Reads the recipients of what Amazon SES tells about a bounce or a delivery."""

from typing import Any

from mailer.feedback.amazon_event import find_amazon_event
from mailer.feedback.bounces.recipient_report import (
    RecipientReport,
    clean_address,
    find_code,
    find_status,
    one_line,
)


def read_amazon_bounce(text: str) -> tuple[RecipientReport, ...]:
    """Return the recipients of a notification of a bounce or a delivery; empty if ``text`` is none."""
    return _read_event(find_amazon_event(text))


def _read_event(event: dict[str, Any]) -> tuple[RecipientReport, ...]:
    bounce, delivery = event.get("bounce"), event.get("delivery")
    reports: list[RecipientReport] = []
    if isinstance(bounce, dict):
        is_transient = str(bounce.get("bounceType", "")).lower() == "transient"
        for entry in _listed(bounce.get("bouncedRecipients")):
            if isinstance(entry, dict) and (address := clean_address(str(entry.get("emailAddress", "")))):
                words = one_line(str(entry.get("diagnosticCode") or "").removeprefix("smtp;"))
                status = find_status(str(entry.get("status") or "")) or find_status(words)
                action = str(entry.get("action") or "").lower()
                known = (
                    action if action in ("failed", "delayed") else ("delayed" if is_transient else "failed")
                )
                reports.append(
                    RecipientReport(
                        address=address,
                        words=words or one_line(str(bounce.get("bounceSubType", ""))),
                        status=status,
                        code=find_code(words),
                        action=known,
                    )
                )
    elif isinstance(delivery, dict):
        words = one_line(str(delivery.get("smtpResponse") or ""))
        for entry in _listed(delivery.get("recipients")):
            if address := clean_address(str(entry)):
                reports.append(
                    RecipientReport(
                        address=address, words=words, status=find_status(words), action="delivered"
                    )
                )
    return tuple(reports)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

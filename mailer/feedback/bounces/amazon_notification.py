"""Reads what Amazon SES tells about a message through SNS, where the topic is subscribed by e-mail."""

import json
from typing import Any

from mailer.feedback.bounces.recipient_report import (
    RecipientReport,
    clean_address,
    find_code,
    find_status,
    one_line,
)


def read_amazon_notification(text: str) -> tuple[RecipientReport, ...]:
    """Return the recipients of a notification of a bounce or a delivery; empty if ``text`` is none."""
    if '"notificationType"' not in text and '"eventType"' not in text:
        return ()
    # The JSON is one line of the mail, with Amazon's words below it.
    start = text.find("{")
    try:
        event, _ = json.JSONDecoder().raw_decode(text[start:]) if start >= 0 else ({}, 0)
    except (ValueError, RecursionError):
        return ()
    return _read_event(event) if isinstance(event, dict) else ()


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

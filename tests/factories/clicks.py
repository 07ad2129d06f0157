"""Requests for the links of a newsletter, and what became of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.database.report_models import Click, ReaderClick
from mailer.feedback.clicks.request_signs import ClickRequest

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
BROWSER_HEADERS = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "accept-language": "fr-FR,fr;q=0.9,en;q=0.7",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "none",
    "sec-fetch-user": "?1",
}


def make_request(campaign_id: int = 1, link_number: int = 1, **values: Any) -> ClickRequest:
    """A request of a person with a browser, but for ``values``."""
    usual: dict[str, Any] = {
        "country": "FR",
        "sectors": ("culture",),
        "at": AT,
        "method": "GET",
        "address": "192.0.2.7",
        "user_agent": BROWSER,
        "headers": BROWSER_HEADERS,
    }
    return ClickRequest(campaign_id=campaign_id, link_number=link_number, **{**usual, **values})


def read_clicks(engine: Engine) -> Sequence[Click]:
    with Session(engine, expire_on_commit=False) as session:
        return session.exec(select(Click).order_by(col(Click.id))).all()


def read_reader_clicks(engine: Engine) -> Sequence[ReaderClick]:
    with Session(engine, expire_on_commit=False) as session:
        return session.exec(select(ReaderClick)).all()

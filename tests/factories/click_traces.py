"""The recorded traces of scanners and people, and what the recogniser makes of them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from mailer.database.report_models import Clicker
from mailer.feedback.clicks.recogniser import ClickVerdict, SeenClick, judge_clicks
from mailer.feedback.clicks.request_signs import find_signs
from tests.factories.clicks import BROWSER_HEADERS, make_request

FOLDER = Path(__file__).parents[1] / "feedback" / "clicks" / "traces"
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HEADERS = {
    "browser": BROWSER_HEADERS,
    "old browser": {name: BROWSER_HEADERS[name] for name in ("accept", "accept-language")},
    "plain": {"accept": "text/html,*/*;q=0.8", "accept-language": "en-US,en;q=0.9"},
    "bare": {"accept": "*/*"},
    "prefetch": {**BROWSER_HEADERS, "sec-purpose": "prefetch"},
    "preview": {**BROWSER_HEADERS, "purpose": "preview"},
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A trace, and the verdict on each of its requests."""

    trace: Mapping[str, Any]
    verdicts: Sequence[ClickVerdict]

    @property
    def is_taken_for_scanner(self) -> bool:
        """Whether any request of a person was, or most requests of a scanner were, taken for a scanner's."""
        found = [verdict.clicker is Clicker.scanner for verdict in self.verdicts]
        return any(found) if self.trace["who"] == "person" else 2 * sum(found) > len(found)


def judge_traces(name: str) -> list[Outcome]:
    """Judge each trace of a file; those of a group together, as the visitor that they look like."""
    together: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for number, line in enumerate((FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()):
        trace = json.loads(line)
        together[trace.get("group", f"#{number}")].append(trace)
    return [outcome for traces in together.values() for outcome in _judge(traces)]


def _judge(traces: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    clicks: list[SeenClick] = []
    ids: list[list[int]] = []
    for trace in traces:
        ids.append([len(clicks) + number for number in range(len(trace["requests"]))])
        clicks += [_see(len(clicks) + number, trace, row) for number, row in enumerate(trace["requests"])]
    verdicts = judge_clicks(clicks, links=traces[0]["links"], find_first_sent=lambda _: START)
    return [
        Outcome(trace=trace, verdicts=[verdicts[number] for number in numbers])
        for trace, numbers in zip(traces, ids, strict=True)
    ]


def _see(number: int, trace: Mapping[str, Any], row: Mapping[str, Any]) -> SeenClick:
    request = make_request(
        link_number=row["link"],
        country=trace["country"],
        at=START + timedelta(seconds=row["at"]),
        method=row.get("method", trace["method"]),
        address=row.get("address", trace["address"]),
        user_agent=trace.get("agent", ""),
        headers=HEADERS[trace["headers"]],
    )
    return SeenClick(
        id=number,
        link_number=request.link_number,
        country=request.country,
        sectors=",".join(request.sectors),
        at=request.at,
        visitor=sha256(f"{request.address}\0{request.user_agent}".encode()).digest()[:16],
        signs=frozenset(find_signs(request)),
    )

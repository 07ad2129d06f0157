"""How a run ended, and the log of what happens while sending: refusals, failures, pauses, runs.

The ledger has the truth. A message that was sent is not logged: a million lines would help nobody. No line
contains an address: a subscriber is a number and a domain, and addresses in the server's text are masked.
"""

import contextlib
import errno
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from io import FileIO
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from mailer.database.models import CampaignState
from mailer.dispatch.deliveries import Claim, Counts
from mailer.settings import LogSettings
from mailer.smtp.reply_classifier import Outcome, Verdict, find_enhanced_code

_LEVELS: Final = MappingProxyType({"debug": 10, "info": 20, "warning": 30, "error": 40})
_VERDICT_LEVELS: Final[Mapping[Verdict, str]] = MappingProxyType(
    {
        Verdict.deferred: "info",
        Verdict.rejected: "info",
        Verdict.failed: "info",
        Verdict.in_doubt: "warning",
        Verdict.stop: "error",
        Verdict.give_back: "debug",
    }
)
_ADDRESS = re.compile(r"<?[^\s<>]+@[^\s<>:,;]+>?")
_MASK = "<…>"
# A shorter local part could be any word.
_MIN_LOCAL_PART = 3


class RunOutcome(StrEnum):
    """Ends of a run."""

    finished = "finished"
    waiting = "waiting"
    paused = "paused"
    cancelled = "cancelled"
    stopped = "stopped"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The end of a run: ``reason`` is why the campaign is in its state, ``next_try`` when a deferred delivery
    is due."""

    outcome: RunOutcome
    state: CampaignState
    counts: Counts
    reason: str = ""
    next_try: datetime | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to do something before the campaign can go on."""
        return self.outcome in {RunOutcome.paused, RunOutcome.cancelled, RunOutcome.stopped}


class EventLog:
    """Writes the lines, to the file ``settings`` names (relative to ``root``) or to stderr. Use it in a
    ``with``, or close it. Raise OSError if the file cannot be opened.

    Every line is written immediately and whole, so that several processes can share a file. If ``sys.stderr``
    is redirected, as by a progress bar, the lines go there. A line that cannot be written, because the disk
    is full, is counted in ``lost_lines``. That must not end a campaign, so it is said on stderr: once when it
    begins, and once more with the number at the end.
    """

    def __init__(
        self, settings: LogSettings, root: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._min_level = _LEVELS[settings.level or ("info" if settings.file else "warning")]
        self._clock = clock
        self._file: FileIO | None = None
        self._is_torn = False
        self.lost_lines = 0
        if settings.file is not None:
            # Append, unbuffered: the file may be shared, and may be rotated by copying. A buffer would keep a
            # line that did not fit, and fail again with it at the next one and when the file is closed.
            self._path = root / settings.file
            self._file = open(self._path, "ab", buffering=0, opener=_open_private)  # noqa: SIM115
        self._format = settings.format

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if there is one, and say how many lines are missing from it, if any."""
        if self._file is None or self._file.closed:
            return
        with contextlib.suppress(OSError):
            self._file.close()
        if self.lost_lines:
            lines = "1 line" if self.lost_lines == 1 else f"{self.lost_lines:,} lines"
            _say(f"{self._path}: {lines} could not be written. The ledger is complete.")

    def delivery_not_sent(self, claim: Claim, outcome: Outcome, relay: str = "") -> None:
        """Log a delivery that was not sent; one that was leaves no line."""
        level = _VERDICT_LEVELS.get(outcome.verdict)
        if level is None or not self._is_enabled(level):
            return
        self._write(
            level,
            outcome.verdict.value,
            campaign=claim.campaign_id,
            delivery=claim.delivery_id,
            subscriber=claim.subscriber.id,
            domain=claim.domain,
            stage=outcome.stage.value,
            **_reply_fields(
                outcome, mask_recipient(outcome.text, claim.subscriber.email, claim.subscriber.envelope)
            ),
            relay=relay,
        )

    def connection_failed(self, relay: str, outcome: Outcome) -> None:
        if self._is_enabled("warning"):
            words = _reply_fields(outcome, mask_addresses(outcome.text))
            self._write("warning", "connection_failed", relay=relay, stage=outcome.stage.value, **words)

    def relay_quarantined(self, relay: str, reason: str) -> None:
        # The event keeps its first name, which programs may look for in the log.
        self._write("warning", "relay_set_aside", relay=relay, reason=mask_addresses(reason))

    def campaign_paused(self, campaign_id: int, reason: str) -> None:
        """Log that the program paused a campaign, which waits for a person."""
        self._write("error", "campaign_paused", campaign=campaign_id, reason=mask_addresses(reason))

    def run_started(self, campaign_id: int, counts: Counts, **facts: Any) -> None:
        self._write("info", "run_started", campaign=campaign_id, **vars(counts), **facts)

    def run_ended(self, campaign_id: int, result: RunResult) -> None:
        self._write(
            "info",
            "run_ended",
            campaign=campaign_id,
            how=result.outcome.value,
            state=result.state.value,
            reason=mask_addresses(result.reason),
            next_try=result.next_try.isoformat() if result.next_try else "",
            **vars(result.counts),
        )

    def _is_enabled(self, level: str) -> bool:
        return _LEVELS[level] >= self._min_level

    def _write(self, level: str, event: str, **fields: Any) -> None:
        if not self._is_enabled(level):
            return
        told = {name: value for name, value in fields.items() if value is not None and value != ""}
        at = f"{self._clock().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        line = _make_renderer(self._format)({"timestamp": at, "level": level, "event": event, **told})
        if self._file is None:
            _say(line)
        else:
            self._append(self._file, line)

    def _append(self, file: FileIO, line: str) -> None:
        # A line that was cut off by a full disk gets its end before the next one begins.
        data = ("\n" * self._is_torn + line + "\n").encode()
        try:
            written = file.write(data)
        except OSError as error:
            self._report_loss(error.strerror or str(error))
            return
        self._is_torn = written not in (None, 0, len(data)) or (self._is_torn and not written)
        if written != len(data):
            self._report_loss(os.strerror(errno.ENOSPC))

    def _report_loss(self, reason: str) -> None:
        self.lost_lines += 1
        if self.lost_lines == 1:
            _say(
                f"{self._path}: the log cannot be written ({reason}). Sending continues, and the ledger is "
                "not affected. Free some space, or change [log] file."
            )


def _say(line: str) -> None:
    """Print a line to stderr, which may have been closed, or be a full disk."""
    with contextlib.suppress(OSError, ValueError):
        # Looked up now: while a progress bar is shown, stderr prints above it.
        sys.stderr.write(line + "\n")


class NullEventLog(EventLog):
    def __init__(self) -> None:
        self._file = None
        self.lost_lines = 0

    def _is_enabled(self, level: str) -> bool:  # noqa: ARG002 - whatever the level
        return False


def mask_addresses(text: str) -> str:
    return _ADDRESS.sub(_MASK, text)


def mask_reader(text: str, claim: Claim) -> str:
    """Return ``text`` with ``<…>`` in place of the addresses and the name of the reader of ``claim``. Other
    addresses stay: an operator needs to know which sender a relay refuses."""
    reader = claim.subscriber
    found = {word for word in (reader.email, reader.envelope, reader.name) if len(word) >= _MIN_LOCAL_PART}
    spellings = "|".join(re.escape(word) for word in sorted(found))
    return re.sub(rf"<?(?<![\w.+-])(?:{spellings})(?![\w-]|\.\w)>?", _MASK, text, flags=re.IGNORECASE)


def _open_private(path: str, flags: int) -> int:
    """Open the log, readable only by its owner if it is new: what a server says may name a reader."""
    return os.open(path, flags, 0o600)


def mask_recipient(text: str, *addresses: str) -> str:
    """``words`` with every address masked, and the local parts of ``addresses`` where they stand alone:
    "mailbox mei.lin is full"."""
    masked = mask_addresses(text)
    for local in {address.rpartition("@")[0] for address in addresses}:
        if len(local) >= _MIN_LOCAL_PART:
            masked = re.sub(rf"(?<![\w.-]){re.escape(local)}(?![\w-])", _MASK, masked, flags=re.IGNORECASE)
    return masked


def _reply_fields(outcome: Outcome, words: str) -> dict[str, Any]:
    enhanced = find_enhanced_code(outcome.code, outcome.text) if outcome.code is not None else ""
    return {"code": outcome.code, "enhanced": enhanced, "words": words}


# Created for the first line: most runs write none, and structlog takes a tenth of a second to import.
@lru_cache(maxsize=2)
def _make_renderer(form: str) -> Callable[[dict[str, Any]], str]:
    # Imported here, so that it is not loaded where nothing is sent.
    import structlog

    if form == "json":
        json = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        return lambda event: str(json(None, "", event))
    text = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    return lambda event: text(None, "", event)

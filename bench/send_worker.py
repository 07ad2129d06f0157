"""A process that sends a campaign, as ``mailer send`` does, and measures itself.

Time and CPU are those of ``send_campaign`` alone, which opens the database and reads the frozen content.
Starting Python, importing modules and reading the settings are left out, as they are for every other sender.
"""

import cProfile
import pstats
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.worker_process import FailedRunError, serve_job
from mailer.campaigns.send import send_campaign
from mailer.dispatch.deliveries import Counts
from mailer.workspace import open_workspace

_PROFILE_LINES = 25


@dataclass(frozen=True, kw_only=True)
class SendJob:
    """Send the campaign in the workspace ``root``, whose settings ``environ`` overrides.

    ``enough`` is the number of messages after which to stop, None for never. With ``profiled``, the functions
    that took the most time are written to stderr.
    """

    root: Path
    campaign_id: int
    environ: Mapping[str, str] = field(default_factory=dict)
    stop_after: int | None = None
    profiled: bool = False


def prepare(job: SendJob) -> Callable[[], int]:
    workspace = open_workspace(job.root, environ=job.environ)
    stop = threading.Event()

    def watch(counts: Counts) -> None:
        # Users see a progress bar, so progress is counted here too.
        if job.stop_after is not None and counts.sent >= job.stop_after:
            stop.set()

    def send() -> int:
        ending = send_campaign(workspace, job.campaign_id, on_progress=watch, stop=stop)
        counts = ending.counts
        wrong = counts.rejected + counts.failed + counts.suppressed + counts.in_doubt + counts.deferred
        if wrong or ending.reason or counts.sent < (job.stop_after or counts.audience):
            raise FailedRunError(f"the campaign was not sent completely: {ending}")
        return counts.sent

    return _with_profile(send) if job.profiled else send


def _with_profile(work: Callable[[], int]) -> Callable[[], int]:
    def profiled() -> int:
        profile = cProfile.Profile()
        try:
            return profile.runcall(work)
        finally:
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(_PROFILE_LINES)

    return profiled


if __name__ == "__main__":
    serve_job(prepare)

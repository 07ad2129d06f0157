"""A process that plans a campaign once, started by ``bench.long_list``."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.worker_process import serve_job
from mailer.campaigns.plan import plan_campaign
from mailer.settings import DatabaseSettings
from mailer.workspace import open_workspace
from subscribers.segments.segment import parse_segment


@dataclass(frozen=True, kw_only=True)
class PlanJob:
    """Plan ``edition`` of the workspace at ``root`` for ``segment``, with the list in the database at
    ``url``."""

    root: Path
    url: str
    edition: str
    segment: str


def prepare(job: PlanJob):  # type: ignore[no-untyped-def] # bench is not typed
    workspace = open_workspace(job.root, environ={})
    settings = workspace.settings.model_copy(update={"database": DatabaseSettings(url=job.url)})
    workspace = replace(workspace, settings=settings)

    def work() -> int:
        engine = workspace.open_database()
        plan = plan_campaign(
            workspace, engine, job.edition, parse_segment(job.segment), now=datetime.now(UTC)
        )
        engine.dispose()
        return plan.audience

    return work


if __name__ == "__main__":
    serve_job(prepare)

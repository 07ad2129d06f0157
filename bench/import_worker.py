"""A process that imports a list once, started by ``bench.list_import``."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from bench.worker_process import serve_job
from mailer.database.engine import open_engine
from subscribers.consent.suppression import SuppressionKey
from subscribers.imports.importer import import_file


@dataclass(frozen=True, kw_only=True)
class ImportJob:
    """Import ``file`` into the database at ``url``, for a workspace with these sectors."""

    url: str
    file: Path
    sectors: tuple[str, ...]


def prepare(job: ImportJob):  # type: ignore[no-untyped-def] # bench is not typed
    def work() -> int:
        engine = open_engine(job.url, root=job.file.parent)
        with Session(engine) as session:
            report = import_file(
                session,
                job.file,
                sectors=job.sectors,
                key=SuppressionKey(b"bench" * 8),
                now=datetime.now(UTC),
            )
            session.commit()
        # Closing checkpoints the write-ahead log, as it does at the end of the command.
        engine.dispose()
        return report.added

    return work


if __name__ == "__main__":
    serve_job(prepare)

"""``make bench-studio-million``: every page of Studio with a million subscribers and 200 campaigns.

The time is that of the application: from the request to the last byte, on one connection, when the numbers
that come late have been counted. The first visit, while they are counted, is shown beside it. The pages are
those of all routes, with :data:`_VALUES` for what stands in their paths.

With ``--rows 10000000``, PostgreSQL alone, and beside the pages how long an import takes against COPY, and
how long a plan of a campaign to all.
"""

import argparse
import hashlib
import http.client
import pickle
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from bench.large_office import LargeOffice, add_large_office
from bench.long_list import measure_import_against_copy, measure_plan
from bench.measurement import Bound, Measurement, print_table
from bench.studio_pages import Member, serving
from mailer.campaigns.report.parts import count_outdated_parts
from mailer.database.schema import MIGRATIONS, upgrade
from mailer.settings import DatabaseSettings
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.web.studio.app import ROUTES
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import create_workspace
from tests.servers.postgres import find_postgres, running_postgres

ROWS = 1_000_000
_LONG = 10_000_000
_VISITS = 40
_BAR, _LONG_BAR = 150, 300
_EDITION = "unesco-beijing-2021-2"
_STORY = "esd-hiratsuka"
_PATIENCE = 300.0
"""How many seconds late numbers may take before a page is measured with them missing."""

_OWN_VALUES: Mapping[str, Mapping[str, str]] = {
    "/editions/{edition}/thumb/{file}": {"file": f"{_STORY}.jpg"},
    "/editions/{edition}/pictures/{file}": {"file": f"{_STORY}.jpg"},
    "/settings/sectors/{sector}": {"sector": "education"},
    "/settings/countries/{country}": {"country": "CN"},
}
"""What stands in the path of one route, where its parameter means something else than elsewhere."""

_STREAMS = frozenset({"/campaigns/{campaign}/live/events"})
"""Routes whose answers do not end."""

_VERSIONS = frozenset({"/campaigns/{campaign}/versions/{tag}", "/campaigns/{campaign}/versions/{tag}/frame"})
"""Routes that are opened as the contact sheet names them."""

_SEARCHES = (
    "/partners?query=country:MN+sector:education",
    "/partners?query=org:institute",
    "/partners?query=tag:press",
    "/partners?query=country:MN,CN+sector:education,culture",
    "/partners?country=MN&country=JP&sector=education&sector=culture",
    "/partners?query=sector:education+-tag:press+language:ko",
    "/partners?search=reader4",
    "/partners?search=institute+7",
    "/segments/query?q=sector:education,culture",
    "/segments/query?q=all",
    "/segments/query?q=country:MN+sector:education&compare=edition:2026-w43",
    "/segments/words?q=country:MN",
    "/counts/segment?segment=sector:education,culture",
)
"""Pages whose address says what is searched for; where there is no such page, it is left out."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print each figure beside its bar."""
    parser = argparse.ArgumentParser(prog="python -m bench.studio_million", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many subscribers")
    parser.add_argument("--folder", type=Path, help="keep the SQLite database here, and use it the next time")
    parser.add_argument("--only", default="", help="measure only paths with these words in them")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="measure on this one alone")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
        print_table(_measure(Path(folder), options))


def _measure(folder: Path, options: argparse.Namespace) -> Iterator[Measurement]:
    workspace = open_workspace(
        create_workspace(folder / "w", sample=True, now=datetime.now(UTC)).root, environ={}
    )
    _remove_database(workspace)
    is_long = options.rows >= _LONG
    if not is_long and options.database != "postgresql":
        office = _prepare_sqlite(workspace, options)
        yield from measure_pages(workspace, office, "SQLite", options)
    if options.database == "sqlite":
        return
    programs = find_postgres()
    if programs is None:
        yield Measurement(what="the same on PostgreSQL", note="PostgreSQL is not installed")
        return
    _remove_database(workspace)
    with running_postgres(programs) as url:
        if is_long:
            yield from measure_import_against_copy(folder, url, options.rows)
        settings = workspace.settings.model_copy(update={"database": DatabaseSettings(url=url)})
        large = replace(workspace, settings=settings)
        office = _fill(large, options.rows)
        if is_long:
            yield from measure_plan(large, _EDITION, options.rows)
        yield from measure_pages(large, office, "PostgreSQL", options)


def _prepare_sqlite(workspace: Workspace, options: argparse.Namespace) -> LargeOffice:
    """Fill the database of a workspace, or copy one that was filled before for the same tables."""
    database = workspace.root / "mailer.db"
    if options.folder is None:
        return _fill(workspace, options.rows)
    migrations = sorted(MIGRATIONS.rglob("*.py"))
    tables = hashlib.sha256(b"".join(path.read_bytes() for path in migrations)).hexdigest()[:12]
    kept = options.folder / f"office-{options.rows}-{tables}.db"
    described = kept.with_suffix(".pickle")
    if not described.exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        office = _fill(workspace, options.rows)
        shutil.copyfile(database, kept)
        described.write_bytes(pickle.dumps(office))
        return office
    shutil.copyfile(kept, database)
    return pickle.loads(described.read_bytes())  # type: ignore[no-any-return]


def _remove_database(workspace: Workspace) -> None:
    """Remove the list in a workspace's SQLite file."""
    for path in workspace.root.glob("mailer.db*"):
        path.unlink()


def _fill(workspace: Workspace, rows: int) -> LargeOffice:
    engine = workspace.open_database()
    upgrade(engine)
    content = next(iter(PreviewCompiler(workspace, _EDITION).compile().mails.values()))
    office = add_large_office(engine, workspace.settings, rows, edition=_EDITION, content=content)
    for campaign in (office.to_all, office.sending):
        # As the worker does while a campaign is being sent.
        count_outdated_parts(workspace, engine, only=campaign)
    # Closing the last connection checkpoints SQLite's log into the file.
    engine.dispose()
    return office


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """How long a page took, in milliseconds: at its first visit, and of all later ones the 95th percentile,
    of the clock and of this process's own processor."""

    path: str
    first: float
    slow: float
    busy: float


def measure_pages(
    workspace: Workspace, office: LargeOffice, database: str, options: argparse.Namespace
) -> Iterator[Measurement]:
    """Measure every page that can be opened, the slowest first."""
    with serving(workspace) as member:
        paths, unknown = list_paths(office)
        paths += _find_version_paths(member, office)
        wanted = [path for path in paths if options.only in path]
        figures = sorted(_measure_paths(member, wanted), key=lambda one: -one.slow)
    bar = _LONG_BAR if options.rows >= _LONG else _BAR
    if figures:
        yield Measurement(
            what=f"slowest of {len(figures)} pages, {options.rows:,} subscribers, {database}, p95",
            measured=figures[0].slow,
            unit="ms",
            bound=Bound.at_most,
            bar=bar,
            note=f"not opened, for want of what stands in their paths: {', '.join(unknown) or 'none'}",
        )
    for one in figures:
        yield Measurement(
            what=f"    {one.path.removeprefix('/studio')}"[:62],
            measured=one.slow,
            unit="ms",
            bound=Bound.at_most,
            bar=bar,
            note=f"processor {one.busy:.0f} ms; first visit {one.first:.0f} ms" if one.slow > bar / 2 else "",
        )


def _measure_paths(member: Member, paths: Sequence[str]) -> Iterator[_Figures]:
    for path in paths:
        try:
            first = member.get(path)
        except (OSError, http.client.HTTPException):
            first = None
        if first is None or first.status >= 500:
            print(f"{path} failed", file=sys.stderr)
            member.close()
            continue
        if first.status != 200:
            continue
        _await_numbers(member, path)
        visits = [member.get(path) for _ in range(_VISITS)]
        yield _Figures(
            path=path,
            first=first.milliseconds,
            slow=_find_p95([visit.milliseconds for visit in visits]),
            busy=_find_p95([visit.busy for visit in visits]),
        )


def _find_version_paths(member: Member, office: LargeOffice) -> list[str]:
    """The pages of one version of the prepared campaign's mail, which its contact sheet names."""
    sheet = f"/studio/campaigns/{office.draft}/versions"
    member.get(sheet)
    _await_numbers(member, sheet)
    found = re.search(rf"{sheet}/[^/\"?]+".encode(), member.get(sheet).body)
    return [found[0].decode(), f"{found[0].decode()}/frame"] if found else []


def _await_numbers(member: Member, path: str) -> None:
    """Visit a page until its numbers are counted; not one that asks for them by an address of its own."""
    ends_at = time.monotonic() + _PATIENCE
    while "counting…".encode() in (body := member.get(path).body) and time.monotonic() < ends_at:
        if b"?count=1" in body:
            return
        time.sleep(0.2)


def _find_p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def list_paths(office: LargeOffice) -> tuple[list[str], list[str]]:
    """The paths of all routes that answer GET, filled in, and the routes that could not be."""
    values = _make_values(office)
    paths, unknown = [], []
    for route in ROUTES:
        if "GET" not in route.methods or route.permission is None or route.path in _STREAMS:
            continue
        own = {**values, **_OWN_VALUES.get(route.path, {})}
        names = re.findall(r"\{(\w+)(?::\w+)?\}", route.path)
        if not set(names) <= set(own):
            unknown += [] if route.path in _VERSIONS else [route.path]
            continue
        filled = _fill_path(route.path, own)
        is_campaign = "{campaign}" in route.path
        paths += [
            f"/studio{_fill_path(route.path, {**own, 'campaign': str(number)})}"
            for number in ((office.to_all, office.sending, office.draft) if is_campaign else ())
        ]
        paths += [] if is_campaign else [f"/studio{filled}"]
    return list(dict.fromkeys([*paths, *(f"/studio{path}" for path in _SEARCHES)])), unknown


def _fill_path(path: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: quote(values[found[1]]), path)


def _make_values(office: LargeOffice) -> Mapping[str, str]:
    return {
        "edition": _EDITION,
        "story": _STORY,
        "language": "zh-Hans",
        "way": "copy",
        "subscriber": str(office.subscriber),
        "campaign": str(office.to_all),
        "organisation": "Institute 7",
        "section": "sender",
        "table": "numbers",
        "member": "1",
        "kind": "segment",
        "name": office.segment,
        "number": str(office.import_batch),
    }


if __name__ == "__main__":
    main()

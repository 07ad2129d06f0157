"""``make bench-studio``: the pages of Studio with 200 editions in the workspace, and what they weigh.

The time is that of the application: from the request to the last byte, on one connection, after each page was
opened once. What a page asks for later (previews, checks, pictures) is no page, and has a row of its own. The
weight is all that a page names, as it is sent to Chromium (https, or localhost), without heads, pictures and
frames; for the page with the editor, also what Chromium loads by itself until that page is at rest.
"""

import argparse
import contextlib
import gzip
import http.client
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlmodel import Session

from bench.measurement import Bound, Measurement, print_table
from mailer.database.schema import upgrade
from mailer.database.team_models import Role, SignInMethod
from mailer.team.members import add_member
from mailer.team.sessions import open_team_session
from mailer.web.server import start_in_thread
from mailer.web.site import create_local_studio
from mailer.web.studio.app import ROUTES
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import SAMPLE_EDITIONS, create_workspace
from tests.servers.browser import chromium

_EDITIONS = 200
_VISITS = 20
_ROUNDS = 2
_BAR_MS = 100
_BAR_KB, _BAR_EDITOR_KB = 40, 100
_SAMPLE = "unesco-beijing-2021-2"
_STORY = "esd-hiratsuka"
_EDITOR = "story_editor"
_SETTLE_SECONDS = 2.5
"""What has changed a moment ago is read again each time, see editions.cache."""

_VALUES = {
    "edition": _SAMPLE,
    "story": _STORY,
    "file": f"{_STORY}.jpg",
    "way": "copy",
    "language": "zh-Hans",
}
_CHROMIUM = {"accept-encoding": "gzip, deflate, br, zstd", "sec-fetch-site": "same-origin"}
"""What Chromium sends with a request to https or localhost from a page of the same site."""

_READ_SIZES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const heads = document.head.querySelectorAll("script[src], link[href]");
  const names = new Set([...heads].map((element) => element.src || element.href));
  const sizes = [{ [page.name]: page.encodedBodySize }, {}];
  for (const { name, initiatorType, encodedBodySize } of performance.getEntriesByType("resource")) {
    if (initiatorType === "iframe" || initiatorType === "img") continue;
    sizes[names.has(name) ? 0 : 1][name] = encodedBodySize;
  }
  return sizes;
}"""
"""Of what the page names in its head and of what came later, the bytes of each body on the wire (W3C Resource
Timing); without the mail in its frame, and pictures."""

_LATE = ("problems", "checks", "versions", "frame", "thumb", "pictures", "media", "preview", "comments")
"""Parts of paths of what a page asks for after it is there."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a path answered: how long it took and how long this process was busy
    with it, in milliseconds; its status, kind and content, as it came over the wire."""

    milliseconds: float
    busy: float
    status: int
    kind: str
    wire: bytes
    coding: str

    @property
    def body(self) -> bytes:
        """The content as it was before it was compressed."""
        return gzip.decompress(self.wire) if self.coding == "gzip" else self.wire


class Member:
    """A manager with a connection to Studio."""

    def __init__(self, url: str, cookie: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        self.url = url
        self.cookie = cookie
        self._headers = {"cookie": cookie, **_CHROMIUM}

    def get(self, path: str) -> Answer:
        """Request a path."""
        started, busy = time.perf_counter(), time.process_time()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        return Answer(
            milliseconds=1000 * (time.perf_counter() - started),
            busy=1000 * (time.process_time() - busy),
            status=answer.status,
            kind=answer.headers.get("content-type", ""),
            wire=body,
            coding=answer.headers.get("content-encoding", ""),
        )

    def close(self) -> None:
        self._connection.close()


def main() -> None:
    """Measure, and print each figure beside its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--editions", type=int, default=_EDITIONS, help="how many editions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = prepare_workspace(Path(folder) / "w", options.editions)
        with serving(workspace) as member:
            print_table(measure_pages(member, options.editions))


def prepare_workspace(root: Path, editions: int) -> Workspace:
    """A workspace with the sample edition and copies of it, whose pictures take no room."""
    workspace = open_workspace(create_workspace(root, sample=True, now=datetime.now(UTC)).root, environ={})
    for number in range(1, editions):
        target = workspace.editions / f"unesco-beijing-{2000 + number // 4}-{number % 4 + 3}"
        shutil.copytree(SAMPLE_EDITIONS / _SAMPLE, target, copy_function=_copy_or_link)
    engine = workspace.open_database()
    upgrade(engine)
    engine.dispose()
    time.sleep(_SETTLE_SECONDS)
    return workspace


def _copy_or_link(source: str, target: str) -> None:
    if source.endswith(".md"):
        shutil.copyfile(source, target)
    else:
        os.symlink(source, target)  # noqa: PTH211 - what copytree gives are texts


@contextmanager
def serving(workspace: Workspace) -> Iterator[Member]:
    """Serve Studio with a manager who is signed in."""
    running = start_in_thread(create_local_studio(workspace, address="http://localhost/studio"))
    engine, now = workspace.open_database(), datetime.now(UTC)
    with Session(engine) as session:
        added = add_member(session, "manager@example.org", "Mei Manager", Role.manager, now=now)
        secret = open_team_session(session, added.id, SignInMethod.link, browser="", now=now)
        session.commit()
    engine.dispose()
    member = Member(f"http://localhost:{urlsplit(running.url).port}", f"studio={secret}")
    try:
        yield member
    finally:
        member.close()
        running.stop()


def measure_pages(member: Member, editions: int) -> Iterator[Measurement]:
    """Measure all pages and what they ask for, round by round."""
    paths = list_paths()
    first = {path: member.get(path) for path in paths}
    found = {path: answer for path, answer in first.items() if answer.status == 200}
    visits: dict[str, list[Answer]] = {path: [] for path in found}
    for _ in range(_ROUNDS):
        for path, answers in visits.items():
            answers += [member.get(path) for _ in range(_VISITS)]
    pages = [path for path in found if not _is_late(path) and "text/html" in found[path].kind]
    others = [path for path in found if path not in pages]
    slowest = {path: _find_p95(answer.milliseconds for answer in visits[path]) for path in found}
    busy = {path: _find_p95(answer.busy for answer in visits[path]) for path in pages}
    yield _show_slowest(
        f"slowest of {len(pages)} pages, {editions} editions, p95", slowest, pages, bar=_BAR_MS
    )
    yield _show_slowest("the same, of its own processor alone", busy, pages, bar=_BAR_MS)
    yield _show_slowest("slowest of what pages ask for later, p95", slowest, others, bar=None)
    opened = {path: first[path].milliseconds for path in pages}
    yield _show_slowest("slowest page when it is opened for the first time", opened, pages, bar=None)
    yield from measure_weight(member, {path: found[path] for path in pages})
    yield measure_in_chromium(member)


def _find_p95(times: Iterable[float]) -> float:
    ordered = sorted(times)
    return ordered[int(0.95 * len(ordered))]


def list_paths() -> list[str]:
    """The paths of all routes that answer GET, filled in, and the list of editions further down."""
    paths = []
    for route in ROUTES:
        names = re.findall(r"\{(\w+)(?::\w+)?\}", route.path)
        if "GET" in route.methods and route.permission is not None and set(names) <= set(_VALUES):
            path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: _VALUES[found[1]], route.path)
            paths.append(f"/studio{path}")
    return [*dict.fromkeys(paths), "/studio/editions?page=5"]


def _is_late(path: str) -> bool:
    parts = urlsplit(path).path.split("/")
    return any(part in parts[3:] for part in _LATE)


def _show_slowest(
    what: str, times: Mapping[str, float], paths: Sequence[str], *, bar: float | None
) -> Measurement:
    ordered = sorted(paths, key=lambda path: -times[path])
    return Measurement(
        what=what,
        measured=times[ordered[0]],
        unit="ms",
        bound=Bound.at_most,
        bar=bar,
        note="; ".join(f"{path.removeprefix('/studio')} {times[path]:.0f} ms" for path in ordered[:4]),
    )


def measure_weight(member: Member, pages: Mapping[str, Answer]) -> Iterator[Measurement]:
    """Measure what pages and the files they name weigh on the wire: with the editor, and without."""
    weights: dict[str, float] = {}
    has_editor: set[str] = set()
    assets: dict[str, int] = {}
    for path, page in pages.items():
        html = page.body.decode()
        names = set(re.findall(r'(?:href|src)="(/studio/static/[^"]+\.(?:css|js|svg))"', html))
        for name in names - set(assets):
            assets[name] = len(member.get(name).wire)
        weights[path] = (len(page.wire) + sum(assets[name] for name in names)) / 1000
        if any(_EDITOR in name for name in names):
            has_editor.add(path)
    for what, chosen, bar in (
        ("heaviest page without the editor, all in", [*pages.keys() - has_editor], _BAR_KB),
        ("heaviest page with the editor, all in", [*has_editor], _BAR_EDITOR_KB),
    ):
        if chosen:
            ordered = sorted(chosen, key=lambda path: -weights[path])
            yield Measurement(
                what=what,
                measured=weights[ordered[0]],
                unit="kB",
                bound=Bound.at_most,
                bar=bar,
                note="; ".join(f"{path.removeprefix('/studio')} {weights[path]:.1f}" for path in ordered[:3]),
            )


def measure_in_chromium(member: Member) -> Measurement:
    """Open the story's page in Chromium with an empty cache, and add up what came until it was at rest."""
    with chromium() as browser, contextlib.closing(browser.new_context()) as context:
        name, _, secret = member.cookie.partition("=")
        context.add_cookies([{"name": name, "value": secret, "url": member.url}])
        page = context.new_page()
        page.goto(f"{member.url}/studio/editions/{_SAMPLE}/stories/{_STORY}")
        page.wait_for_function("() => document.querySelector('[data-comments]')")
        page.wait_for_load_state("networkidle")
        named, later = page.evaluate(_READ_SIZES)
    return Measurement(
        what="the story's page in Chromium, what its HTML names",
        measured=sum(named.values()) / 1000,
        unit="kB",
        bound=Bound.at_most,
        bar=_BAR_EDITOR_KB,
        note=f"{_list_sizes(named)}; then {sum(later.values()) / 1000:.1f} kB: {_list_sizes(later)}",
    )


def _list_sizes(sizes: Mapping[str, int]) -> str:
    ordered = sorted(sizes, key=lambda name: -sizes[name])
    return ", ".join(f"{urlsplit(name).path.rpartition('/')[2]} {sizes[name] / 1000:.1f}" for name in ordered)


if __name__ == "__main__":
    main()

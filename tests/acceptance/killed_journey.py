"""A team's journey through Studio whose server is killed at every step, and what must be true after each.

A step is one form that a person sends. While it is not done, it is sent again, each time with another kill.
After each, the server is started anew on the same workspace, and its pages are compared with the database,
the files, and what the mail server has got.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus

from sqlalchemy import Engine, func, update
from sqlmodel import SQLModel, col, select

from mailer.activity.acts import Act
from mailer.database.approval_models import ApprovalMail
from mailer.database.launch_models import PendingLaunchRecord, PendingLaunchState
from mailer.database.team_models import ActivityRecord, SignInMail
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace, open_workspace
from tests.acceptance.form_browser import FormBrowser, SentForm, ServerGoneError
from tests.servers.killable_server import KillableServer, PlannedKill, When
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.servers.process import wait_until

_PATIENCE = 120
_PAST = timedelta(seconds=-1)
_HELD = timedelta(minutes=2)
_MOMENTS = 250
"""Milliseconds within which a random moment falls."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A form that somebody sends. ``count`` is how many of what it makes there are, of which it adds one;
    ``says`` is whether the pages say that it is done. ``act`` is what the log then has. ``again`` is whether
    the same form may be sent once more, by a browser that never got the answer, and must add nothing.
    ``kills`` is how often the server is killed."""

    name: str
    fill: Callable[[], tuple[FormBrowser, SentForm]]
    count: Callable[[], int]
    says: Callable[[], bool]
    act: Act | None = None
    again: bool = True
    kills: int = 4


@dataclass(frozen=True, kw_only=True)
class Work:
    """What the server does by itself. ``begin`` makes it due, and ``check`` compares the pages with the
    database while the server may be at it."""

    name: str
    is_done: Callable[[], bool]
    check: Callable[[], None]
    begin: Callable[[], None] = lambda: None
    kills: int = 4


@dataclass(kw_only=True)
class Journey:
    """The workspace, its server, the mail server, and how often the server was killed so far, of which
    ``late_kills`` came when a step was done already. While it ``is_calm``, nothing is killed. While it
    ``holds_launches``, those that can be undone wait for longer than ten seconds, which a slow machine would
    use up."""

    workspace: Workspace
    engine: Engine
    server: KillableServer
    mails: MisbehavingServer
    chance: random.Random
    kills: Counter[When] = field(default_factory=Counter)
    late_kills: int = 0
    steps: int = 0
    is_calm: bool = False
    holds_launches: bool = True

    def walk(self, step: Step) -> None:
        """Send the form of a step until it is done, and kill the server as often as is planned.

        What is left of the plan once it is done is used up by sending the form again, or, if that may not be
        done, by opening its pages.
        """
        before = step.count()
        logged = self.count_log(step.act)
        wanted = self.kills.total() + (0 if self.is_calm else step.kills)
        kills = self._plan_kills(step.kills)
        self.steps += not self.is_calm

        def is_done() -> bool:
            made = step.count() - before
            assert made in {0, 1}, f"{step.name}: {made} times"
            return made == 1

        while self.kills.total() < wanted:
            if is_done():
                self._kill_afterwards(step, is_done)
            else:
                self._try(step, is_done, next(kills))
        if not is_done():
            self._try(step, is_done, None)
        self._hold_launches()
        assert is_done(), step.name
        assert step.says(), f"{step.name} is done, and the page does not say so"
        if step.again:
            self._send_again(step)
            assert is_done()
        if step.act is not None:
            assert self.count_log(step.act) == logged + 1, f"the log of {step.name}"

    def work(self, work: Work) -> None:
        """Kill the server while it does something by itself, as often as is planned, and let it end."""
        wanted = self.kills.total() + work.kills
        kills = self._plan_kills(work.kills)
        self.steps += 1
        while self.kills.total() < wanted:
            is_late = work.is_done()
            kill = self._plan_moment() if is_late else next(kills)
            self.server.plan(kill)
            work.begin()
            self._await_end(work.name, kill, work.is_done)
            if self._take_kill(work.name, kill):
                self.late_kills += is_late
                work.check()
        work.begin()
        wait_until(work.is_done, what=work.name, seconds=_PATIENCE)
        work.check()

    def _plan_kills(self, number: int) -> Iterator[PlannedKill]:
        """Before the first write and the second, and for half of the steps the third; then after the first
        commit, at a random moment, before later writes, and after later commits."""
        late = self.chance.sample(range(3, 12), k=min(9, max(2, number // 2)))
        early = [PlannedKill(when=When.before, at=at) for at in (1, 2)]
        if self.chance.random() < 1 / 2:
            early.append(PlannedKill(when=When.before, at=3))
        yield from early
        yield PlannedKill(when=When.after, at=1)
        yield self._plan_moment()
        for after, before in enumerate(sorted(late), start=2):
            yield PlannedKill(when=When.before, at=before)
            yield PlannedKill(when=When.after, at=after)
            yield self._plan_moment()
        while True:
            yield self._plan_moment()

    def _plan_moment(self) -> PlannedKill:
        return PlannedKill(when=When.moment, at=self.chance.randint(1, _MOMENTS))

    def _try(self, step: Step, is_done: Callable[[], bool], kill: PlannedKill | None) -> None:
        browser, form = self._last = step.fill()
        if kill is not None:
            self.server.plan(kill)
        with suppress(ServerGoneError):
            page = browser.send(form)
            # A refused form is a fault of the test.
            assert page.status < HTTPStatus.BAD_REQUEST, f"{step.name}: {page.status} {page.words[:1500]}"
        # Threads do things after the answer.
        self._await_end(step.name, kill, is_done)
        if self._take_kill(step.name, kill):
            assert step.says() == is_done(), f"{step.name}: {kill} and the page says {not is_done()}"

    def _kill_afterwards(self, step: Step, is_done: Callable[[], bool]) -> None:
        kill = self._plan_moment()
        self.server.plan(kill)
        with suppress(ServerGoneError):
            if step.again:
                browser, form = self._last
                browser.send(form)
            else:
                step.says()
        self._await_end(step.name, kill, is_done)
        self.late_kills += self._take_kill(step.name, kill)
        assert is_done(), f"{step.name} was done, and is not any more"
        assert step.says(), f"{step.name}: {kill} after it was done, and the page does not say so"

    def _await_end(self, name: str, kill: PlannedKill | None, is_done: Callable[[], bool]) -> None:
        """Wait until the server is killed, or what it has to do is done without coming to that place."""
        is_certain = kill is not None and kill.when is When.moment
        wait_until(
            lambda: not self.server.is_running() or (not is_certain and is_done()),
            what=name,
            seconds=_PATIENCE,
        )

    def _take_kill(self, name: str, kill: PlannedKill | None) -> bool:
        """Start the server again if it was killed; return whether it was."""
        if not self.server.is_killed():
            return False
        assert kill is not None, f"{name}: the server ended by itself"
        self.kills[kill.when] += 1
        self.restart()
        self.check_files()
        return True

    def _send_again(self, step: Step) -> None:
        browser, form = self._last
        browser.send(form)
        assert step.says(), f"{step.name}: sent again"

    def restart(self) -> None:
        """Start the server again; what a dead one had begun is due at once and not after its lease."""
        self.engine.dispose()
        with self.engine.begin() as connection:
            for table in (SignInMail, ApprovalMail):
                connection.execute(update(table).values(not_before=utc_now() + _PAST))
        self._hold_launches()
        self.server.start()
        self.await_mails()

    def _hold_launches(self) -> None:
        if self.holds_launches:
            waits = col(PendingLaunchRecord.state) == PendingLaunchState.waiting
            times = {"due_at": utc_now() + _HELD, "expires_at": utc_now() + 2 * _HELD}
            with self.engine.begin() as connection:
                connection.execute(update(PendingLaunchRecord).where(waits).values(times))

    def await_mails(self) -> None:
        """Wait until all mails to the team and to reviewers have left."""
        wait_until(
            lambda: not self.number(SignInMail) + self.number(ApprovalMail),
            what="the mails to leave",
            seconds=_PATIENCE,
        )

    def check_files(self) -> None:
        """No file is half-written: what is there has its beginning and its end."""
        root = self.workspace.root
        for folder in (self.workspace.editions, self.workspace.corrections):
            for path in folder.rglob("*.md"):
                text = path.read_text("utf-8")
                is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
                assert is_hidden or (text.startswith("---\n") and text.endswith("\n")), path
        assert open_workspace(root, environ={}).settings == self.workspace.settings

    def number(self, table: type[SQLModel], *where: object) -> int:
        """How many rows of a table there are."""
        chosen = select(func.count()).select_from(table).where(*where)  # type: ignore[arg-type]
        with self.engine.connect().execution_options(read_only=True) as connection:
            return int(connection.execute(chosen).scalar_one())

    def count_log(self, act: Act | None) -> int:
        return 0 if act is None else self.number(ActivityRecord, ActivityRecord.act == act.value)

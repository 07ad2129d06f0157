"""A team's journey through Studio whose server is killed at every step, and what must be true after each.

A step is one form that a person sends. While it is not done, it is sent again, each time with another kill.
After each, the server is started anew on the same workspace, and its pages are compared with the database,
the files, and what the mail server has got.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Engine, func, update
from sqlmodel import SQLModel, select

from mailer.activity.acts import Act
from mailer.database.activity_models import ActivityRecord
from mailer.database.approval_models import ApprovalMail
from mailer.database.sign_in_models import SignInMail
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace, open_workspace
from tests.acceptance.form_browser import FormBrowser, SentForm, ServerGoneError, ShownPage
from tests.servers.killable_server import KillableServer, PlannedKill, When
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.servers.process import wait_until

_PATIENCE = 120
_PAST = timedelta(seconds=-1)
_MOMENTS = 250
"""Milliseconds within which a random moment falls."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A form that somebody sends. ``count`` is how many of what it makes there are, of which it adds one;
    ``says`` is whether the pages say that it is done. ``act`` is what the log then has, where the log is
    written in one transaction with what is done. ``again`` is whether the same form may be sent once more, by
    a browser that never got the answer, and must add nothing."""

    name: str
    fill: Callable[[], tuple[FormBrowser, SentForm]]
    count: Callable[[], int]
    says: Callable[[], bool]
    act: Act | None = None
    again: bool = True
    kills: int = 4


@dataclass(kw_only=True)
class Journey:
    """The workspace, its server, the mail server, and how often the server was killed so far."""

    workspace: Workspace
    engine: Engine
    server: KillableServer
    mails: MisbehavingServer
    chance: random.Random
    kills: Counter[When] = field(default_factory=Counter)
    steps: int = 0

    def walk(self, step: Step) -> None:
        """Send the form of a step until it is done, and kill the server meanwhile."""
        before = step.count()
        logged = self.count_log(step.act)
        self.steps += 1

        def is_done() -> bool:
            made = step.count() - before
            assert made in {0, 1}, f"{step.name}: {made} times"
            return made == 1

        for kill in self._plan_kills(step.kills):
            if is_done():
                break
            self._try(step, is_done, kill)
        if not is_done():
            self._try(step, is_done, None)
        assert is_done(), step.name
        assert step.says(), f"{step.name} is done, and the page does not say so"
        if step.again:
            self._send_again(step)
            assert is_done()
        if step.act is not None:
            assert self.count_log(step.act) == logged + 1, f"the log of {step.name}"

    def _plan_kills(self, number: int) -> Iterator[PlannedKill]:
        """Before the first write and the second, at a random moment, and after a commit; with a larger
        ``number`` before later writes too, and after later commits."""
        for at in (1, 2, *sorted(self.chance.sample(range(3, 12), k=(number - 4) // 2))):
            yield PlannedKill(when=When.before, at=at)
        yield PlannedKill(when=When.moment, at=self.chance.randint(1, _MOMENTS))
        for at in range(1, 2 + (number - 3) // 2):
            yield PlannedKill(when=When.after, at=at)

    def _try(self, step: Step, is_done: Callable[[], bool], kill: PlannedKill | None) -> None:
        browser, form = step.fill()
        if kill is not None:
            self.server.plan(kill)
        try:
            self._last = (browser, form)
            page = browser.send(form)
            if self.server.is_running():
                self._await(step, is_done, page)
        except ServerGoneError:
            pass
        if self.server.is_killed():
            assert kill is not None, f"{step.name}: the server ended by itself"
            self.kills[kill.when] += 1
            self.restart()
            assert step.says() == is_done(), f"{step.name}: {kill} and the page says {not is_done()}"
            self.check_files()

    def _await(self, step: Step, is_done: Callable[[], bool], page: ShownPage) -> None:
        """Wait for what threads do after the answer; a refused form is a fault of the test."""
        assert page.status < 400, f"{step.name}: {page.status} {page.words[:1500]}"
        wait_until(lambda: is_done() or not self.server.is_running(), what=step.name, seconds=_PATIENCE)

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
        self.server.start()
        self.await_mails()

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

"""A walk through every page a reader can come to, as somebody with a phone makes it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page
from sqlalchemy import Engine

from mailer.selfservice.form_token import make_form_token
from mailer.workspace import Workspace
from subscribers.models import Status
from subscribers.tokens import LinkPurpose
from tests.web.site import add_reader, issue

Step = Callable[[], object]


@dataclass
class Walk:
    """One walk in one language. It makes its own readers, so that walks do not meet."""

    workspace: Workspace
    engine: Engine
    url: str
    page: Page
    language: str
    name: str

    def take(self) -> Iterator[str]:
        """Show one page after another, each under its name, and wait there while it is looked at."""
        for name, step in self._steps():
            step()
            yield name

    def _steps(self) -> Iterator[tuple[str, Step]]:
        yield from self._leaving()
        yield from self._choosing()
        yield from self._errands()
        yield from self._joining()
        yield "editions", lambda: self._open("/e/")
        yield "edition", lambda: self._open("/e/2021-2/en")
        yield "not found", lambda: self._open("/u/wrong")

    def _leaving(self) -> Iterator[tuple[str, Step]]:
        token = self._reader("leaves", name="Mei Lin")
        yield "leave", lambda: self._open(f"/u/{token}")
        yield "left", self._press
        yield "thanked", self._answer_why
        yield "away", lambda: self._open(f"/u/{token}")
        yield "returned", self._press

    def _choosing(self) -> Iterator[tuple[str, Step]]:
        token = self._reader("chooses", name="Mei Lin", country="MN", sectors=("education",))
        yield "preferences", lambda: self._open(f"/p/{token}")
        yield "preferences with a fault", self._pause_without_a_day
        yield (
            "preferences saved",
            lambda: (self.page.locator("[name=until]").fill("2027-01-31"), self._press()),
        )
        yield "last edition", lambda: self._open(f"/p/{token}/look")
        yield "data", lambda: self._open(f"/p/{token}/data")
        yield "data asked for", self._press
        gone = self._reader("gone", status=Status.unsubscribed)
        yield "preferences of somebody gone", lambda: self._open(f"/p/{gone}")

    def _errands(self) -> Iterator[tuple[str, Step]]:
        self._reader("moves")
        yield "address", lambda: self._open(f"/d/address/{self._link('moves', LinkPurpose.address)}")
        yield "address with a fault", lambda: (self.page.locator("#email").fill("nonsense"), self._press())
        yield "address asked for", lambda: (self.page.locator("#email").fill("n@example.org"), self._press())
        new = f"{self.name}.new@example.org"
        yield (
            "move",
            lambda: self._open(f"/d/move/{self._link('moves', LinkPurpose.new_address, detail=new)}"),
        )
        yield "moved", self._press
        self._reader("exports")
        yield "export", lambda: self._open(f"/d/export/{self._link('exports', LinkPurpose.export)}")
        self._reader("erases")
        erasing = self._link("erases", LinkPurpose.erase)
        yield "erase", lambda: self._open(f"/d/erase/{erasing}")
        yield "erased", self._press
        yield "spent", lambda: self._open(f"/d/erase/{erasing}")

    def _joining(self) -> Iterator[tuple[str, Step]]:
        yield "subscribe", lambda: self._open("/subscribe")
        # A stamp of the future is younger than any age, so this holds however slow the machine is.
        yield "subscribe too soon", lambda: self._write_an_address("new@example.org", minutes=-1)
        yield "subscribe with a fault", lambda: self._write_an_address("nonsense")
        yield "subscribe asked for", lambda: self._write_an_address(f"{self.name}.asks@example.org")
        yield "link", lambda: self._open("/link")
        self._reader("joins", status=Status.pending)
        yield "confirm", lambda: self._open(f"/confirm/{self._link('joins', LinkPurpose.confirm)}")
        yield "confirmed", self._press

    def _open(self, path: str) -> None:
        # As after a link in a mail: the language comes with the address.
        self.page.goto(f"{self.url}{path}?lang={self.language}")

    def _press(self) -> None:
        with self.page.expect_navigation():
            self.page.locator("form button").first.click()

    def _answer_why(self) -> None:
        self.page.locator("[name=reason]").nth(1).check()
        with self.page.expect_navigation():
            self.page.locator("form button").nth(1).click()

    def _pause_without_a_day(self) -> None:
        self.page.locator("[value=pause]").check()
        self._press()

    def _write_an_address(self, address: str, *, minutes: int = 1) -> None:
        """Fill in and send the form as it would be ``minutes`` after it was shown."""
        shown = datetime.now(UTC) - timedelta(minutes=minutes)
        stamp = make_form_token(self.workspace.keys.suppression, shown)
        self.page.locator("[name=stamp]").evaluate("(field, stamp) => field.value = stamp", stamp)
        self.page.locator("#email").fill(address)
        self._press()

    def _reader(self, what: str, **details: object) -> str:
        return add_reader(self.engine, self.workspace.keys, self._email(what), **details)  # type: ignore[arg-type]

    def _email(self, what: str) -> str:
        return f"{self.name}.{what}@example.org"

    def _link(self, what: str, purpose: LinkPurpose, detail: str = "") -> str:
        return issue(self.engine, self.workspace.keys, self._email(what), purpose, detail=detail)

"""A reader's journey through every page, as on a phone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page
from sqlalchemy import Engine

from mailer.selfservice.confirmation import confirm_subscription, make_form_token
from mailer.workspace import Workspace
from subscribers.models import Status
from subscribers.tokens import LinkPurpose
from tests.web.site import add_reader, issue_link_token

Step = Callable[[], object]


@dataclass
class ReaderJourney:
    """One journey in one language. It adds its own readers, so journeys do not affect each other."""

    workspace: Workspace
    engine: Engine
    url: str
    page: Page
    language: str
    name: str

    def visit_pages(self) -> Iterator[str]:
        """Open one page after another, and yield the name of each while it is shown."""
        for name, step in self._steps():
            step()
            yield name

    def _steps(self) -> Iterator[tuple[str, Step]]:
        yield from self._unsubscribe()
        yield from self._set_preferences()
        yield from self._request_data()
        yield from self._sign_up()
        yield "editions", lambda: self._open("/e/")
        yield "edition", lambda: self._open("/e/2021-2/en")
        yield "story", lambda: self._open("/e/2021-2/en/youth-forum")
        yield "accessibility", lambda: self._open("/accessibility")
        yield from self._verify()
        yield "not found", lambda: self._open("/u/wrong")
        yield "unknown_link", lambda: self._open("/c/wrong/1")
        yield "test_link", lambda: self._open(f"/u/{self.workspace.keys.tokens.sign_test()}")

    def _unsubscribe(self) -> Iterator[tuple[str, Step]]:
        token = self._reader("leaves", name="Mei Lin")
        yield "unsubscribe", lambda: self._open(f"/u/{token}")
        yield "unsubscribed", self._press
        yield "reason_recorded", self._give_reason
        yield "not_subscribed", lambda: self._open(f"/u/{token}")
        yield "resubscribed", self._press

    def _set_preferences(self) -> Iterator[tuple[str, Step]]:
        token = self._reader("chooses", name="Mei Lin", country="MN", sectors=("education",))
        yield "preferences", lambda: self._open(f"/p/{token}")
        yield "preferences with a fault", self._pause_without_a_day
        yield (
            "preferences saved",
            lambda: (self.page.locator("[name=until]").fill("2027-01-31"), self._press()),
        )
        yield "last edition", lambda: self._open(f"/p/{token}/look")
        yield "data_requests", lambda: self._open(f"/p/{token}/data")
        yield "data_requests asked for", self._press
        gone = self._reader("gone", status=Status.unsubscribed)
        yield "preferences of somebody gone", lambda: self._open(f"/p/{gone}")

    def _request_data(self) -> Iterator[tuple[str, Step]]:
        self._reader("moves")
        yield "change_address", lambda: self._open(f"/d/address/{self._link('moves', LinkPurpose.address)}")
        yield (
            "change_address with a fault",
            lambda: (self.page.locator("#email").fill("nonsense"), self._press()),
        )
        yield (
            "change_address asked for",
            lambda: (self.page.locator("#email").fill("n@example.org"), self._press()),
        )
        new = f"{self.name}.new@example.org"
        yield (
            "confirm_address",
            lambda: self._open(f"/d/move/{self._link('moves', LinkPurpose.new_address, detail=new)}"),
        )
        yield "address_changed", self._press
        self._reader("exports")
        yield "export", lambda: self._open(f"/d/export/{self._link('exports', LinkPurpose.export)}")
        self._reader("erases")
        erasing = self._link("erases", LinkPurpose.erase)
        yield "erase", lambda: self._open(f"/d/erase/{erasing}")
        yield "erased", self._press
        yield "expired_link", lambda: self._open(f"/d/erase/{erasing}")

    def _sign_up(self) -> Iterator[tuple[str, Step]]:
        yield "sign_up", lambda: self._open("/subscribe")
        # A stamp from the future is always too new, however slow the machine is.
        yield "sign_up too soon", lambda: self._submit_address("new@example.org", minutes=-1)
        yield "sign_up with a fault", lambda: self._submit_address("nonsense")
        yield "sign_up asked for", lambda: self._submit_address(f"{self.name}.asks@example.org")
        yield "request_link", lambda: self._open("/link")
        self._reader("joins", status=Status.pending)
        yield "confirm_sign_up", lambda: self._open(f"/confirm/{self._link('joins', LinkPurpose.confirm)}")
        yield "sign_up_confirmed", self._press
        yield "sign_up_waits", self._confirm_again_while_it_waits

    def _verify(self) -> Iterator[tuple[str, Step]]:
        yield "verify", lambda: self._open("/verify")
        code = self.workspace.keys.tokens.sign_code(subscriber_id=5, campaign_id=1)
        yield "verified", lambda: self._submit_code(code)
        yield "verify with a fault", lambda: self._submit_code("7K3M")
        fake = b"From: Beijing Office <news@example.org>\r\nSubject: Your password\r\n\r\nClick here.\r\n"
        yield "verified a fake", lambda: self._submit_mail(fake)

    def _submit_code(self, code: str) -> None:
        self.page.locator("#code").fill(code)
        self._press()

    def _submit_mail(self, mail: bytes) -> None:
        file = {"name": "mail.eml", "mimeType": "message/rfc822", "buffer": mail}
        self.page.locator("#mail").set_input_files(files=[file])  # type: ignore[list-item]
        with self.page.expect_navigation():
            self.page.locator("form button").nth(1).click()

    def _open(self, path: str) -> None:
        # As after a link in a mail: the language comes with the address.
        self.page.goto(f"{self.url}{path}?lang={self.language}")

    def _press(self) -> None:
        with self.page.expect_navigation():
            self.page.locator("form button").first.click()

    def _give_reason(self) -> None:
        self.page.locator("[name=reason]").nth(1).check()
        with self.page.expect_navigation():
            self.page.locator("form button").nth(1).click()

    def _pause_without_a_day(self) -> None:
        self.page.locator("[value=pause]").check()
        self._press()

    def _submit_address(self, address: str, *, minutes: int = 1) -> None:
        """Fill in and send the form as it would be ``minutes`` after it was shown."""
        shown = datetime.now(UTC) - timedelta(minutes=minutes)
        stamp = make_form_token(self.workspace.keys.suppression, shown)
        self.page.locator("[name=stamp]").evaluate("(field, stamp) => field.value = stamp", stamp)
        self.page.locator("#email").fill(address)
        self._press()

    def _confirm_again_while_it_waits(self) -> None:
        """Press the button of a sign-up once more that was confirmed and waits for the team."""
        self._reader("waits", status=Status.pending)
        token = self._link("waits", LinkPurpose.confirm)
        self._open(f"/confirm/{token}")
        keys = self.workspace.keys
        confirm_subscription(
            self.engine, keys, token, wording="", language="en", evidence="", is_reviewed=True
        )
        self._press()

    def _reader(self, what: str, **details: object) -> str:
        return add_reader(self.engine, self.workspace.keys, self._email(what), **details)  # type: ignore[arg-type]

    def _email(self, what: str) -> str:
        return f"{self.name}.{what}@example.org"

    def _link(self, what: str, purpose: LinkPurpose, detail: str = "") -> str:
        return issue_link_token(self.engine, self.workspace.keys, self._email(what), purpose, detail=detail)

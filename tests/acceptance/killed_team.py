"""The people of a journey through Studio, their browsers, and the forms that they fill in."""

import re
from collections.abc import Callable, Mapping, Sequence
from email import message_from_bytes, policy

from tests.acceptance.form_browser import FormBrowser, SentForm, ShownPage
from tests.acceptance.killed_journey import Journey
from tests.servers.process import wait_until

HOST = "news.example.org"
NAMED = ("Bat", "Kim", "Dorj", "Li")
PEOPLE = (*NAMED, *(f"Partner {number}" for number in range(1, 27)))
LIST = "name,email,country\n" + "".join(
    f"{name},{name.replace(' ', '').lower()}@partner.example,MN\n" for name in PEOPLE
)
EDITION, STORY = "2026-1", "teachers-meet"
TITLE = "Teachers meet"
TEXT = "Sixty teachers met for three days."
Plan = Callable[[], tuple[FormBrowser, SentForm]]


class Team:
    """Mei, the manager, who does most of it; Ben, who approves; and Ana, who is asked from outside."""

    def __init__(self, journey: Journey, port: int) -> None:
        self.journey = journey
        self._port = port
        self.mei, self.ben, self.ana = self.visitor(), self.visitor(), self.visitor()
        self.campaign = 0
        self.sent_again: set[str] = set()

    def visitor(self) -> FormBrowser:
        """The browser of somebody who is not signed in."""
        return FormBrowser(port=self._port, host=HOST)

    # --- what the pages and the files say

    def words(self, path: str, who: FormBrowser | None = None) -> str:
        return (who or self.mei).open(f"/studio{path}").words

    def form(
        self,
        path: str,
        button: str,
        values: Mapping[str, str | Sequence[str]] | None = None,
        *,
        who: FormBrowser | None = None,
        within: str = "",
        files: Mapping[str, bytes] | None = None,
    ) -> Plan:
        """Open a page, wait for what comes late, and fill in its form."""
        browser = who or self.mei

        def fill() -> tuple[FormBrowser, SentForm]:
            page = browser.open(f"/studio{path}")
            if not page.has_button(button):
                page = self._look_again(browser, path, button)
            return browser, page.fill(button, values or {}, files=files, within=within)

        return fill

    @staticmethod
    def _look_again(browser: FormBrowser, path: str, button: str) -> ShownPage:
        found: list[ShownPage] = []

        def is_there() -> bool:
            found.append(browser.open(f"/studio{path}"))
            return found[-1].has_button(button)

        wait_until(is_there, what=f"{button} at {path}", seconds=120)
        return found[-1]

    def sign_in_again(self, browser: FormBrowser, link: str) -> None:
        """Follow a link to sign in once more if the answer with the session's cookie was lost with the
        server."""
        if "sign-in" in browser.open("/studio/").path:
            browser.send(self.form(link, "Sign in", who=browser)()[1])
        assert browser.open("/studio/").path == "/studio/"

    def read_story(self) -> str:
        files = list((self.journey.workspace.editions / EDITION / "stories").glob(f"*-{STORY}.md"))
        return files[0].read_text("utf-8") if files else ""

    def mails_to(self, address: str) -> list[str]:
        """The texts of the mails that the server has got for somebody."""
        bodies = []
        for mail in list(self.journey.mails.received):
            if mail.recipient == address:
                content = message_from_bytes(mail.content, policy=policy.default)
                bodies.append(content.get_body(("plain",)).get_content())  # type: ignore[attr-defined]
        return bodies

    def await_link(self, address: str, kind: str) -> str:
        """The path of the newest link that somebody was mailed."""
        self.journey.await_mails()
        found = re.search(rf"/studio(/{kind}/[\w-]+)", self.mails_to(address)[-1])
        assert found is not None
        return found[1]

"""A browser without scripts: pages, their forms as a browser would send them, and cookies."""

import http.client
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, cast
from urllib.parse import urlencode, urljoin, urlsplit

from lxml import html

from tests.web.site import write_form_data

_MAX_REDIRECTS = 5


class ServerGoneError(Exception):
    """The server has ended before it answered."""


@dataclass(frozen=True, kw_only=True)
class SentForm:
    """A form as it was sent."""

    method: str
    path: str
    body: bytes
    type: str


@dataclass(frozen=True, kw_only=True)
class ShownPage:
    """A page and its address, below that of Studio."""

    status: int
    path: str
    source: str

    @property
    def tree(self) -> Any:
        return html.fromstring(self.source)

    @property
    def words(self) -> str:
        """The text of its main part, with single spaces."""
        found = self.tree.xpath("//main")
        return " ".join(str((found[0] if found else self.tree).text_content()).split())

    def has_button(self, words: str) -> bool:
        return bool(self._list_buttons(words, within=""))

    def fill(
        self,
        button: str,
        values: Mapping[str, str | Sequence[str]],
        *,
        files: Mapping[str, bytes] | None = None,
        within: str = "",
    ) -> SentForm:
        """The form of the button whose words begin with ``button``, with other ``values`` in it. ``within``
        are words of the row or the form that is meant."""
        pressed = self._list_buttons(button, within)
        assert pressed, f"no button {button!r} at {self.path}: {self.words[:2000]}"
        form = pressed[0].form if hasattr(pressed[0], "form") else None
        form = form if form is not None else self._find_form(pressed[0])
        fields = [(name, value) for name, value in form.form_values() if value is not None]
        if pressed[0].get("name"):
            fields.append((pressed[0].get("name"), pressed[0].get("value", "")))
        for name, value in values.items():
            assert name in form.fields or form.xpath(f'.//*[@name="{name}"]'), f"no field {name}"
            all_values = [value] if isinstance(value, str) else value
            fields = [one for one in fields if one[0] != name] + [(name, one) for one in all_values]
        action = pressed[0].get("formaction") or form.get("action") or self.path
        path = urljoin(self.path, action)
        if files is not None:
            body, kind = write_form_data(files, file_name="list.csv")
            return SentForm(method="POST", path=path, body=body, type=kind)
        sent = urlencode(cast("Iterable[tuple[str, str]]", fields)).encode()
        return SentForm(method="POST", path=path, body=sent, type="application/x-www-form-urlencoded")

    def _list_buttons(self, words: str, within: str) -> list[Any]:
        return [
            one
            for one in self.tree.xpath("//main//button")
            if " ".join(one.text_content().split()).startswith(words) and _is_within(one, within)
        ]

    def _find_form(self, button: Any) -> Any:
        if button.get("form"):
            return self.tree.xpath(f'//form[@id="{button.get("form")}"]')[0]
        return next(button.iterancestors("form"))


def _is_within(button: Any, words: str) -> bool:
    return not words or any(words in one.text_content() for one in button.iterancestors("li", "form"))


@dataclass(kw_only=True)
class FormBrowser:
    """One person's browser. ``host`` is the name in the addresses, which the server at ``port`` is given."""

    port: int
    host: str
    cookies: dict[str, str] = field(default_factory=dict)

    def open(self, path: str) -> ShownPage:
        return self.follow(self._ask("GET", path))

    def send(self, form: SentForm) -> ShownPage:
        """Send a form, and follow where it leads."""
        return self.follow(self._ask(form.method, form.path, form.body, form.type))

    def follow(self, page: ShownPage) -> ShownPage:
        for _ in range(_MAX_REDIRECTS):
            if page.status != http.client.SEE_OTHER:
                break
            page = self._ask("GET", page.source)
        assert page.status < http.client.INTERNAL_SERVER_ERROR, f"{page.path}: {page.status}"
        return page

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> ShownPage:
        headers = {"host": self.host, "sec-fetch-site": "same-origin"}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if kind:
            headers["content-type"] = kind
        place = urlsplit(path)
        target = f"{place.path}?{place.query}" if place.query else place.path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, target, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        except (ConnectionError, http.client.HTTPException) as error:
            raise ServerGoneError(f"{method} {target}") from error
        finally:
            connection.close()
        for line in answer.headers.get_all("set-cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        source = answer.headers.get("location", "") if answer.status == http.client.SEE_OTHER else ""
        return ShownPage(status=answer.status, path=target, source=source or content.decode("utf-8"))

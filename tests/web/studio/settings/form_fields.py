"""The fields of a form on a page, as a browser would send them unchanged."""

from html.parser import HTMLParser


class _FormReader(HTMLParser):
    """Collects the fields of the form with an action."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self._action = action
        self._is_inside = False
        self._text: list[str] | None = None
        self._select = ""
        self.fields: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = values.get("action") == self._action
        if not self._is_inside or "disabled" in values:
            return
        name = values.get("name", "")
        if tag == "textarea":
            self._text = []
            self.fields.append((name, ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in values:
            self.fields.append((self._select, values.get("value", "")))
        elif tag == "input" and name:
            is_box = values.get("type") in {"checkbox", "radio"}
            if not is_box or "checked" in values:
                self.fields.append((name, values.get("value", "on" if is_box else "")))

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text is not None:
            self.fields[-1] = (self.fields[-1][0], "".join(self._text).removeprefix("\n"))
            self._text = None
        elif tag == "form":
            self._is_inside = False


def read_form(page: bytes | str, action: str) -> list[tuple[str, str]]:
    """The fields of the form that is sent to ``action``."""
    reader = _FormReader(action)
    reader.feed(page.decode() if isinstance(page, bytes) else page)
    assert reader.fields, f"there is no form for {action}"
    return reader.fields

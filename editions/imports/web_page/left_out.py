"""What a page has that an email cannot carry: it is named, with its words and where it leads."""

from collections.abc import Callable

from lxml import etree

from editions.imports.omissions import (
    AS_PICTURE,
    DRAWING,
    EQUATION,
    FORM_FIELD,
    SCRIPT,
    WHOLE_DOCUMENT,
    OmissionKind,
    OmissionLog,
    advise,
    locate,
    quote,
)
from editions.imports.web_page.styles import read_pixels
from locales.phrase import Phrase, gettext_noop

_ICON = 48.0
# With these, mails fill up the line that an inbox shows after the subject.
_FILLERS = dict.fromkeys(map(ord, "\u200b\u200c\u034f\u00ad\ufeff\u2060"))
_KINDS = {"video": gettext_noop("a film"), "audio": gettext_noop("a sound")}


class LeftOutContent:
    """Names what is left out of a page. ``handlers`` are for elements by their tags."""

    def __init__(self, omissions: OmissionLog) -> None:
        self._omissions = omissions
        self._scripts = 0
        self.handlers: dict[str, Callable[[etree._Element], None]] = {
            **dict.fromkeys(("input", "select", "textarea"), self._form_field),
            **dict.fromkeys(("iframe", "frame", "object", "embed", "video", "audio"), self._embedded),
            "nav": self._navigation,
            "math": self._equation,
            "script": self._script,
            # What browsers show only where scripts do not run.
            "noscript": self.name_hidden,
            "rp": lambda _element: None,
        }

    def name_hidden(self, element: etree._Element) -> None:
        """Count the text of ``element`` as hidden."""
        words = visible_text(element)
        if any(character.isalnum() for character in words):
            self._omissions.count(OmissionKind.hidden, words)

    def name_button(self, element: etree._Element) -> None:
        """Name a button that leads nowhere without a script."""
        words = visible_text(element)
        self._omissions.add(quote(FORM_FIELD, words), words=words)

    def name_drawing(self, element: etree._Element) -> None:
        """Name a drawing, unless it is an icon without words."""
        words = drawing_words(element)
        sides = [read_pixels(element.get(name) or "") for name in ("width", "height")]
        if words or not all(side is not None and side <= _ICON for side in sides):
            self._omissions.add(quote(DRAWING, words), words=words)

    def name_scripts(self) -> None:
        """Name the scripts of the page, all at once."""
        if self._scripts:
            self._omissions.set_place(WHOLE_DOCUMENT)
            many = gettext_noop("%(number)s scripts, which were not run")
            self._omissions.add(Phrase(many, number=self._scripts) if self._scripts > 1 else SCRIPT)

    def _embedded(self, element: etree._Element) -> None:
        inner = element.find(".//source[@src]")
        source = (
            element.get("src") or element.get("data") or ("" if inner is None else inner.get("src")) or ""
        )
        what = _KINDS.get(str(element.tag), gettext_noop("a page or player within the page"))
        words = visible_text(element)
        found = locate(quote(what, words), source)
        self._omissions.add(advise(found, gettext_noop("link to it instead")), words=f"{words} {source}")

    def _navigation(self, element: etree._Element) -> None:
        words = visible_text(element)
        addresses = [link.get("href") or "" for link in element.iter("a")]
        if words:
            what = quote(gettext_noop("the links by which one moves about the site"), words)
            self._omissions.add(what, words=" ".join([words, *addresses]))

    def _form_field(self, element: etree._Element) -> None:
        if (element.get("type") or "").lower() != "hidden":
            words = element.get("value") or element.get("placeholder") or visible_text(element)
            self._omissions.add(quote(FORM_FIELD, words), words=words)

    def _equation(self, element: etree._Element) -> None:
        words = visible_text(element)
        self._omissions.add(advise(quote(EQUATION, words), AS_PICTURE), words=words)

    def _script(self, element: etree._Element) -> None:  # noqa: ARG002 - as the other handlers
        self._scripts += 1


def drawing_words(element: etree._Element) -> str:
    """The words in an SVG drawing, or those that describe it."""
    return visible_text(element) or (element.get("aria-label") or "").strip()


def visible_text(element: etree._Element) -> str:
    """The text in ``element`` on one line, without that of scripts and styles."""
    return " ".join(" ".join(_text_parts(element)).translate(_FILLERS).split())


def _text_parts(element: etree._Element) -> list[str]:
    if element.tag in {"script", "style", "template"}:
        return []
    parts = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str):
            parts += _text_parts(child)
        parts.append(child.tail or "")
    return parts

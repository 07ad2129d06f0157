"""What a page shows that is no part of its text: navigation, forms, links of a mailing."""

import re
from collections.abc import Callable, Sequence
from unicodedata import east_asian_width

from lxml import etree

from editions.imports.html.tree import HEADINGS, detach, text_content
from editions.imports.source_document import (
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
_MAX_LINK_LENGTH = 70
_MAX_WIDTH_AROUND = 80
"""Columns of text around the links; more of it is a story with a link that only looks like one of them."""
_LINES = ("p", "li", *HEADINGS)
_WORDS = re.compile(
    r"""
    unsubscribe | \bopt[ -]?out\b | in\ (your|a|the)\ (web\ ?)?browser
    | (view|read|see)\ (it\ |this\ .{0,20})?online
    | online\ version | web\ ?version
    | (update|manage|change|edit)\ (your\ |my\ )?.{0,20}(preferences|subscriptions?|profile)
    | (email|subscription)\ preferences
    | désabonner | désinscri | se\ désinscrire | version\ en\ ligne | (votre|le|un)\ navigateur
    | abmelden | abbestellen | abbestellung | (im|ihrem)\ browser | online-version | webversion
    | darse\ de\ baja | cancelar\ (la\ |su\ )?suscripci | (el|tu|su)\ navegador | versión\ (web|en\ línea)
    | cancelar\ (a\ )?(inscrição|assinatura) | descadastr | no\ (seu\ )?navegador
    | disiscri | cancella\ iscrizione | nel\ (tuo\ )?browser | (je\ )?uitschrijven | afmelden
    | in\ je\ browser
    | отписаться | в\ браузере | хөтөч | бүртгэлээс\ хасах
    | 退订 | 取消订阅 | 退訂 | 取消訂閱 | 浏览器 | 瀏覽器
    | 配信停止 | 購読解除 | ブラウザで | 브라우저 | 수신\ ?거부 | 구독\ ?취소
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ADDRESS = re.compile(
    r"/(unsubscribe|unsub|optout|opt-out)\b|\*\|(UNSUB|ARCHIVE|UPDATE_PROFILE|FORWARD)\|\*", re.IGNORECASE
)
_LEADS_TO = gettext_noop("%(what)s (%(address)s)")


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
        words = visible_text(element)
        if any(character.isalnum() for character in words):
            self._omissions.count(OmissionKind.hidden, words)

    def name_button(self, element: etree._Element) -> None:
        words = visible_text(element)
        self._omissions.add(quote(FORM_FIELD, words), words=words)

    def name_drawing(self, element: etree._Element) -> None:
        """Name a drawing, unless it is an icon without words."""
        words = drawing_words(element)
        sides = [read_pixels(element.get(name) or "") for name in ("width", "height")]
        if words or not all(side is not None and side <= _ICON for side in sides):
            self._omissions.add(quote(DRAWING, words), words=words)

    def name_scripts(self) -> None:
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
    """Return the words in an SVG drawing, or those that describe it."""
    return visible_text(element) or (element.get("aria-label") or "").strip()


def visible_text(element: etree._Element) -> str:
    """Return the text in ``element`` on one line, without that of scripts and styles."""
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


def remove_mail_links(body: etree._Element, omissions: OmissionLog) -> None:
    """Remove the old mail's links from ``body``, and log each with its address."""
    for line in [line for line in body.iter(*_LINES) if line.find(".//a[@href]") is not None]:
        links = [link for link in line.iter("a") if link.get("href")]
        own = [link for link in links if _belongs_to_mail(link)]
        words = " ".join(text_content(line).split())
        if own and len(own) == len(links) and _is_about_mail(words, own) and line.find(".//img") is None:
            addresses = ", ".join(dict.fromkeys(link.get("href") or "" for link in own))
            what = quote(gettext_noop("what every mail has of its own"), words)
            omissions.add(Phrase(_LEADS_TO, what=what, address=addresses), words=f"{words} {addresses}")
            line[:] = []
            line.text = None
            continue
        for link in own:
            text, address = text_content(link), link.get("href") or ""
            what = quote(gettext_noop("a link that every mail has of its own"), text)
            omissions.add(Phrase(_LEADS_TO, what=what, address=address), words=f"{text} {address}")
            detach(link)


def _is_about_mail(words: str, links: Sequence[etree._Element]) -> bool:
    """Return whether there is little text around the ``links``."""
    inside = sum(_width(text_content(link)) for link in links)
    return _width(words) - inside <= _MAX_WIDTH_AROUND


def _width(text: str) -> int:
    # A Chinese character says about as much as three letters.
    return sum(3 if east_asian_width(character) in {"W", "F"} else 1 for character in text)


def _belongs_to_mail(link: etree._Element) -> bool:
    text = " ".join(text_content(link).split())
    if len(text) > _MAX_LINK_LENGTH:
        return False
    return bool(_WORDS.search(text) or _ADDRESS.search(link.get("href") or ""))

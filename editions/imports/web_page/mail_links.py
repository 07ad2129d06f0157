"""The links that belong to the old mail and not to the newsletter: shown in a browser, unsubscribed from.

Every mail that is sent has its own. A paragraph that has only such links is left out with its words; from
another paragraph only the link is.
"""

import re
from collections.abc import Sequence
from unicodedata import east_asian_width

from lxml import etree

from editions.imports.html.tree import detach, text_content
from editions.imports.omissions import OmissionLog, quote
from locales.phrase import Phrase, gettext_noop

_MAX_LINK_LENGTH = 70
_MAX_WIDTH_AROUND = 80
"""Columns of text around the links; more of it is a story with a link that only looks like one of them."""
_LINES = ("p", "li", "h1", "h2", "h3", "h4", "h5", "h6")
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
    """Whether there is little text around the ``links``."""
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

"""Checks of what email programs support, and of what Outlook needs."""

import re
from collections.abc import Iterator
from functools import lru_cache

from locales.phrase import Phrase, gettext_noop
from mailer.checks.mail.computed_style import find_colour
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, excerpt, finding
from mailer.checks.mail.stylesheet import Declaration, parse_declarations
from mailer.checks.registry import Feature, Use, known_features

_WORD = re.compile(r"[a-z-]+\(?", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|url\([^)]*\)")
# Prefixed names concern one program only; all others ignore them.
_PREFIXES = ("mso-", "-webkit-", "-ms-", "-moz-")
# Every form in which such a comment starts or ends, right or wrong. The last is what a parser makes of <![if.
# All start with the same two characters, which makes the search ten times faster.
_MARKERS = re.compile(
    r"<!(?:--\[if [^\]]*\]>(?:<!-->)?|--<!\[endif\]-->|\[endif\]-->"
    r"|\[if\b[^>]*>|\[endif\]>|--\[endif\]-{2,}>)"
)
_TAGS = re.compile(r"<(/?)(table|tbody|thead|tr|td|th|div|center)\b[^>]*>", re.IGNORECASE)
_VML = re.compile(r"<v:(?:rect|roundrect|shape|image)\b.*?</v:\w+>", re.IGNORECASE | re.DOTALL)
# How the text of a button starts, in our languages.
_ACTIONS = re.compile(
    r"(read|learn|find out|see|register|sign up|subscribe|join|donate|download|book|watch|start)\b.*|lire\b.*"
    r"|s’inscrire.*|.*更多|报名.*|下载.*|登録.*|申し込.*|자세히.*|신청.*",
    re.IGNORECASE,
)
_NAMESPACES = {
    "xmlns:v": "urn:schemas-microsoft-com:vml",
    "xmlns:o": "urn:schemas-microsoft-com:office:office",
}


def check_support(mail: ParsedMail) -> Iterator[MailFinding]:
    """27: nothing that email programs remove, and no feature whose support is unknown."""
    unlisted: dict[str, None] = {}
    for kind, name, is_carrier in dict.fromkeys(_list_usages(mail)):
        feature = known_features().get((kind, name))
        if feature is None:
            unlisted[f"{kind} {excerpt(name)}"] = None
        elif feature.use is Use.never:
            code = "dead-element" if kind == "element" else "unsupported-style"
            yield finding(
                code,
                f"{_display_name(feature)} must not be used in email. {feature.note} {feature.page}".rstrip(),
            )
        elif feature.use is Use.enhancement and is_carrier:
            yield finding(
                "fragile-feature",
                Phrase(
                    "%(name)s is set on an element, and nothing replaces it in programs that do not "
                    "support it. Move it to <style>. %(page)s",
                    name=_display_name(feature),
                    page=feature.page,
                ).rstrip(),
            )
    for unknown in unlisted:
        yield finding(
            "unlisted-feature",
            gettext_noop(
                "it is not known whether email programs support the %(name)s. Look it up at "
                "www.caniemail.com and add it to mailer/checks/support.toml, or do not use it."
            ),
            name=unknown,
        )


def _display_name(feature: Feature) -> str:
    return f"<{feature.name}>" if feature.kind == "element" else feature.name


def _list_usages(mail: ParsedMail) -> Iterator[tuple[str, str, bool]]:
    """Yield kind and name of each feature in use, and whether it is on an element itself, not replaceable."""
    for tag in mail.by_tag:
        # Names with a colon come from comments for Outlook that the parser has treated as elements.
        if ":" not in tag:
            yield "element", tag, True
    for style in {node.style for node in mail.nodes if node.style}:
        for kind, name in _list_style_features(style):
            yield kind, name, True
    for sheet in mail.sheets:
        yield from (("at-rule", name, False) for name in sorted(sheet.at_rules))
        yield from (("pseudo", name, False) for name in sorted(sheet.pseudos))
        for rule in sheet.rules:
            # Inside @media or @supports a feature is never the only style, so it is only checked whether it
            # is listed.
            for kind, name in _list_features(rule.declarations):
                if not (rule.conditions and _is_refused(kind, name)):
                    yield kind, name, False


def _is_refused(kind: str, name: str) -> bool:
    feature = known_features().get((kind, name))
    return feature is not None and feature.use is Use.never


@lru_cache(maxsize=1024)
def _list_style_features(style: str) -> tuple[tuple[str, str], ...]:
    return _list_features(parse_declarations(style))


@lru_cache(maxsize=1024)
def _list_features(declarations: tuple[Declaration, ...]) -> tuple[tuple[str, str], ...]:
    """Return kind and name of every feature used by ``declarations``."""
    used: dict[tuple[str, str], None] = {}
    for part in declarations:
        if part.name.startswith("--"):
            used["value", "var()"] = None
        elif not part.name.startswith(_PREFIXES):
            used["property", part.name] = None
        for word in _WORD.findall(_QUOTED.sub("", part.value)):
            key = ("value", f"{word.lower()})" if word.endswith("(") else word.lower())
            if key in known_features():
                used[key] = None
    return tuple(used)


def check_backgrounds(mail: ParsedMail) -> Iterator[MailFinding]:
    """24: background pictures have a background colour and a drawing for Outlook."""
    for node in mail.nodes:
        if (picture := _find_background(node)) and not (
            _has_background_colour(node) and "<v:" in mail.outlook_comments
        ):
            yield finding(
                "bare-background",
                gettext_noop(
                    "the background picture %(picture)s has no background colour or no VML for Outlook, "
                    "so text may be unreadable. Add bgcolor, and a v:fill in a comment for Outlook."
                ),
                picture=excerpt(picture, 60),
                key=picture,
            )
    for sheet in mail.sheets:
        if "url(" in sheet.text:
            yield finding(
                "url-in-sheet",
                gettext_noop(
                    "a <style> block contains url(), so Gmail drops the whole block. Set the picture on the "
                    "element."
                ),
            )


def _find_background(node: Node) -> str:
    if address := node.get("background"):
        return address
    values = (
        part.value
        for part in parse_declarations(node.style)
        if part.name in {"background", "background-image"}
    )
    return next((value for value in values if "url(" in value), "")


def _has_background_colour(node: Node) -> bool:
    grounds = (
        part for part in parse_declarations(node.style) if part.name in {"background", "background-color"}
    )
    return bool(node.get("bgcolor")) or any(find_colour(part.value) for part in grounds)


def check_resolution(mail: ParsedMail) -> Iterator[MailFinding]:
    """26: without these, Outlook enlarges everything on screens set to 120 dpi."""
    html = mail.nodes[0]
    missing = [name for name, value in _NAMESPACES.items() if html.get(name) != value]
    if "<o:PixelsPerInch>96</o:PixelsPerInch>" not in mail.outlook_comments:
        missing.append("<o:PixelsPerInch>96</o:PixelsPerInch>")
    if missing:
        yield finding(
            "outlook-resolution",
            gettext_noop(
                "%(missing)s is missing, so Outlook scales pictures and tables differently. Add it "
                "to the head."
            ),
            missing=" and ".join(missing),
        )


def check_conditionals(mail: ParsedMail) -> Iterator[MailFinding]:
    """26: comments for Outlook are opened and closed in the form that HTML parsers ignore."""
    is_open = False
    for marker in _MARKERS.finditer(mail.source.html):
        opens = marker[0].startswith("<!--[if")
        if marker[0].startswith(("<![if", "<!--[endif]", "<![endif]>")) or opens == is_open:
            yield finding(
                "outlook-conditional",
                gettext_noop(
                    "a comment for Outlook is not closed, not opened, or has the form <![if: "
                    "“%(start)s”. Write <!--[if mso]>…<![endif]-->, and do not nest them."
                ),
                start=excerpt(mail.source.html[max(marker.start() - 20, 0) : marker.start() + 40], 60),
                key="",
            )
            return
        is_open = opens
    if is_open:
        yield finding(
            "outlook-conditional",
            gettext_noop(
                "the last comment for Outlook is never closed, so it hides the rest of the email. Close "
                "it with <![endif]-->."
            ),
            key="",
        )


def check_tag_balance(mail: ParsedMail) -> Iterator[MailFinding]:
    """26: elements are closed properly, for Outlook and for all other programs."""
    for view, html in (
        (gettext_noop("Outlook on Windows"), mail.outlook_view),
        (gettext_noop("all other programs"), mail.browser_view),
    ):
        if place := _find_imbalance(html):
            yield finding(
                "unbalanced",
                Phrase(
                    "in the email as read by %(view)s, an element is closed without being open, or is "
                    "left open, near “%(place)s”. Close every table, row, cell and div in the template.",
                    view=view,
                    place=place,
                ),
                key=view,
            )


def _find_imbalance(html: str) -> str:
    stack: list[tuple[str, int]] = []
    for tag in _TAGS.finditer(html):
        name = tag[2].lower()
        if not tag[1]:
            stack.append((name, tag.start()))
        elif not stack or stack.pop()[0] != name:
            return excerpt(html[tag.start() : tag.start() + 60], 60)
    return excerpt(html[stack[-1][1] : stack[-1][1] + 60], 60) if stack else ""


def check_buttons(mail: ParsedMail) -> Iterator[MailFinding]:
    """25: buttons are links with text and padding; drawings for Outlook contain nothing to follow."""
    for link in mail.find_all("a"):
        pictures = list(link.element.iter("img"))
        if (
            len(pictures) == 1
            and not link.text
            and _ACTIONS.fullmatch((pictures[0].get("alt") or "").strip())
        ):
            yield finding(
                "picture-button",
                gettext_noop(
                    "the button “%(alt)s” is a picture, which disappears when pictures are blocked. Make "
                    "it a text link in a coloured cell."
                ),
                alt=excerpt(pictures[0].get("alt") or ""),
                place=mail.place_of(link),
            )
        if _is_cramped(mail, link):
            yield finding(
                "cramped-button",
                gettext_noop(
                    "the button “%(text)s” has a background but no padding, so it is hard to tap. Add "
                    "padding to the link and to its cell."
                ),
                text=excerpt(link.text),
                place=mail.place_of(link),
            )
    for drawing in _VML.findall(mail.outlook_comments):
        if re.search(r"<(a|h[1-6])\b", drawing) or not re.search(r"\balt=", drawing):
            yield finding(
                "vml-content",
                gettext_noop(
                    "a drawing for Outlook (VML) contains a link or heading, or has no alt, and screen "
                    "readers skip what is inside it. Give it an alt, and keep links and headings out of it."
                ),
                key="",
            )


def _is_cramped(mail: ParsedMail, link: Node) -> bool:
    if not link.text or link.parent is None or "padding" in link.style or "padding" in link.parent.style:
        return False
    styles = mail.light_styles
    padded = any(
        part.name.startswith("padding") for rule, _ in link.matched_rules for part in rule.declarations
    )
    return styles[link].background != styles[link.parent].background and not padded

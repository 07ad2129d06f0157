"""Checks 25 and 26: what Outlook on Windows, which renders with Word, needs."""

import re
from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.checks.finding import Finding, excerpt, finding
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import ParsedMail

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


def check_resolution(mail: ParsedMail) -> Iterator[Finding]:
    """26: without these, Outlook enlarges everything on screens set to 120 dpi."""
    html = mail.nodes[0]
    missing = [name for name, value in _NAMESPACES.items() if html.get(name) != value]
    if "<o:PixelsPerInch>96</o:PixelsPerInch>" not in mail.outlook_comments:
        missing.append("<o:PixelsPerInch>96</o:PixelsPerInch>")
    if missing:
        yield finding(
            "outlook-resolution",
            Phrase(
                gettext_noop(
                    "%(missing)s is missing, so Outlook scales pictures and tables differently. Add it "
                    "to the head."
                ),
                missing=" and ".join(missing),
            ),
        )


def check_conditionals(mail: ParsedMail) -> Iterator[Finding]:
    """26: comments for Outlook are opened and closed in the form that HTML parsers ignore."""
    is_open = False
    for marker in _MARKERS.finditer(mail.source.html):
        opens = marker[0].startswith("<!--[if")
        if marker[0].startswith(("<![if", "<!--[endif]", "<![endif]>")) or opens == is_open:
            yield finding(
                "outlook-conditional",
                Phrase(
                    gettext_noop(
                        "a comment for Outlook is not closed, not opened, or has the form <![if: "
                        "“%(start)s”. Write <!--[if mso]>…<![endif]-->, and do not nest them."
                    ),
                    start=_around(mail, marker.start()),
                ),
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


def _around(mail: ParsedMail, place: int) -> str:
    return excerpt(mail.source.html[max(place - 20, 0) : place + 40], 60)


def check_tag_balance(mail: ParsedMail) -> Iterator[Finding]:
    """26: elements are closed properly, for Outlook and for all other programs."""
    for view, html in (
        (gettext_noop("Outlook on Windows"), mail.outlook_view),
        (gettext_noop("all other programs"), mail.browser_view),
    ):
        if place := _find_imbalance(html):
            yield finding(
                "unbalanced",
                Phrase(
                    gettext_noop(
                        "in the email as read by %(view)s, an element is closed without being open, or is "
                        "left open, near “%(place)s”. Close every table, row, cell and div in the template."
                    ),
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


def check_buttons(mail: ParsedMail) -> Iterator[Finding]:
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
                Phrase(
                    gettext_noop(
                        "the button “%(alt)s” is a picture, which disappears when pictures are blocked. Make "
                        "it a text link in a coloured cell."
                    ),
                    alt=excerpt(pictures[0].get("alt") or ""),
                ),
                place=mail.place_of(link),
            )
        if _is_cramped(mail, link):
            yield finding(
                "cramped-button",
                Phrase(
                    gettext_noop(
                        "the button “%(text)s” has a background but no padding, so it is hard to tap. Add "
                        "padding to the link and to its cell."
                    ),
                    text=excerpt(link.text),
                ),
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

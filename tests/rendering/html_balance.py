"""Whether a piece of a mail stands on its own, as a browser reads it and as Outlook for Windows does."""

import re
from html.parser import HTMLParser

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_FOR_OUTLOOK = re.compile(r"<!--\[if (?!!)[^\]]*\]>(.*?)<!\[endif\]-->", re.DOTALL)
_NOT_FOR_OUTLOOK = re.compile(r"<!--\[if !mso[^\]]*\]><!-->.*?<!--<!\[endif\]-->", re.DOTALL)

_CONDITIONAL = re.compile(
    r"<!--\[if [^\]]*\]>(?:<!-->)?(?:(?!<!--\[if ).)*?(?:<!--)?<!\[endif\]-->", re.DOTALL
)
_CONDITIONAL_PART = re.compile(r"<!--\[if[^>]*>|<!\[endif\](?:-->)?|<!\[if[^>]*>")


class _Stack(HTMLParser):
    """The tags that are open, innermost last; ``faults`` are ends without a beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """A tag that closes itself leaves nothing open."""

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.faults.append(tag)


def find_imbalance(html: str) -> list[str]:
    """Tags of ``html`` that are never closed, and ends of none, as a browser reads it."""
    stack = _Stack()
    stack.feed(html)
    stack.close()
    return [*(f"<{tag}>" for tag in stack.open), *(f"</{tag}>" for tag in stack.faults)]


def as_outlook_reads(html: str) -> str:
    """``html`` with what is only for Outlook, and without what is for all others."""
    return _FOR_OUTLOOK.sub(r"\1", _NOT_FOR_OUTLOOK.sub("", html))


def find_stray_conditionals(html: str) -> list[str]:
    """Comments of Outlook's that begin or end without their other half, and the form that browsers show."""
    rest = re.sub(
        r"<!--\[if [^\]]*\]>(?:<!-->)?(?:(?!<!--\[if ).)*?(?:<!--)?<!\[endif\]-->", "", html, flags=re.DOTALL
    )
    return re.findall(r"<!--\[if[^>]*>|<!\[endif\](?:-->)?|<!\[if[^>]*>", rest)

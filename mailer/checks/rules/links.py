"""Checks 8, 28, 35 and 36: links have a destination, describe it, and have the right parameters."""

from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from editions.checks.links import is_vague_link_text
from editions.markdown.links import find_link_fault, uses_link_shortener
from locales.phrase import gettext_noop
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, excerpt, finding


def check_link_texts(mail: ParsedMail) -> Iterator[MailFinding]:
    """8: every link has text, and the text is meaningful."""
    for link in mail.find_all("a"):
        target = link.get("href")
        if target is None:
            continue
        pictures = [node for node in link.element.iter("img") if node.get("alt")]
        if not link.text and not pictures:
            yield finding(
                "silent-link",
                gettext_noop(
                    "a link to %(address)s has no text, so readers cannot follow it. Add text that says "
                    "where it goes."
                ),
                address=excerpt(target, 60),
                place=mail.place_of(link),
            )
        elif is_vague_link_text(link.text):
            yield finding(
                "vague-link",
                gettext_noop(
                    "“%(text)s” means nothing when a screen reader lists the links. Say what the link leads "
                    "to."
                ),
                text=link.text,
                place=mail.place_of(link),
            )


def check_targets(mail: ParsedMail) -> Iterator[MailFinding]:
    """28 and 35: targets inside the email exist, and links out of it are reachable for readers."""
    anchors = {node.get("id") for node in mail.nodes} | {node.get("name") for node in mail.find_all("a")}
    named = {node.get("name") for node in mail.find_all("a")}
    for link in mail.find_all("a"):
        target, words = link.get("href"), excerpt(link.text)
        if target is None or mail.source.is_own(target):
            continue
        if target.strip() in {"", "#"}:
            yield finding(
                "link-to-nowhere",
                gettext_noop("the link “%(words)s” has no address. Add one, or remove the link."),
                words=words,
                place=mail.place_of(link),
            )
        elif target.startswith("#"):
            yield from _check_anchor(mail, link, target[1:], anchors, named)
        else:
            yield from _check_address(mail, link, target)
    for picture in mail.find_all("img"):
        source = picture.get("src") or ""
        if not source.startswith(("https://", "http://", "data:", "@@")):
            yield finding(
                "relative-picture",
                gettext_noop(
                    "the picture %(source)s does not have a full web address, so readers would not see "
                    "it. Start the address with https://."
                ),
                source=repr(source),
                place=mail.place_of(picture),
            )


def _check_anchor(
    mail: ParsedMail, link: Node, name: str, anchors: set[str | None], named: set[str | None]
) -> Iterator[MailFinding]:
    words = excerpt(link.text)
    if name not in anchors:
        yield finding(
            "dead-anchor",
            gettext_noop(
                "the link “%(words)s” points to #%(name)s, which is not in the email. Give the place that id."
            ),
            words=words,
            name=name,
            place=mail.place_of(link),
        )
    elif name not in named and f'name="{name}"' not in mail.outlook_comments:
        yield finding(
            "anchor-without-name",
            gettext_noop(
                "the link “%(words)s” points to #%(name)s, which Outlook can only find by name. Put "
                '<a name="%(name)s"></a> there.'
            ),
            words=words,
            name=name,
        )


def _check_address(mail: ParsedMail, link: Node, target: str) -> Iterator[MailFinding]:
    words, place = excerpt(link.text), mail.place_of(link)
    if target.lower().startswith("tel:"):
        return
    if fault := find_link_fault(target):
        yield finding(
            fault.code,
            gettext_noop("under the words “%(words)s”: %(reason)s"),
            words=words,
            reason=fault.reason,
            place=place,
        )
    elif uses_link_shortener(target):
        yield finding(
            "short-link",
            gettext_noop(
                "“%(words)s” goes through a link shortener, %(target)s. Use the address of the page itself."
            ),
            words=words,
            target=target,
            place=place,
        )
    elif target.lower().startswith("http://"):
        yield finding(
            "plain-http",
            gettext_noop(
                "the link “%(words)s”, %(target)s, is not encrypted. Check whether it works with https://."
            ),
            words=words,
            target=target,
            place=place,
        )


def check_tracking_parameters(mail: ParsedMail) -> Iterator[MailFinding]:
    """36: links to one site have the same ``utm_`` parameters, and personal links have none."""
    by_host: dict[str, dict[tuple[str, ...], list[Node]]] = defaultdict(lambda: defaultdict(list))
    for link in mail.find_all("a"):
        target = link.get("href") or ""
        if "&amp;" in target:
            yield finding(
                "escaped-twice",
                gettext_noop(
                    "the link %(target)s contains &amp;, which has been escaped twice. Escape it once."
                ),
                target=excerpt(target, 70),
                place=mail.place_of(link),
            )
        tags = _list_utm_parameters(target)
        if tags and (target.lower().startswith("mailto:") or _is_personal(mail, target)):
            yield finding(
                "tagged-personal-link",
                gettext_noop(
                    "the link “%(text)s” is personal to the reader and has %(parameter)s. Remove the "
                    "tracking parameter."
                ),
                text=excerpt(link.text),
                parameter=tags[0].partition("=")[0],
                place=mail.place_of(link),
            )
        elif host := _host(target):
            by_host[host][tags].append(link)
    for host, kinds in sorted(by_host.items()):
        if len(kinds) > 1:
            odd = kinds[min(kinds)][0]
            yield finding(
                "uneven-tags",
                gettext_noop(
                    "links to %(host)s have different utm_ parameters, so their visits are counted "
                    "separately; %(example)s is one of them. Give all of them the same parameters, or none."
                ),
                host=host,
                example=odd.get("href"),
                key=host,
                place=mail.place_of(odd),
            )


def _list_utm_parameters(target: str) -> tuple[str, ...]:
    """Return the ``utm_`` parameters that should be the same on every link of an email."""
    try:
        query = urlsplit(target.replace("&amp;", "&")).query
    except ValueError:
        return ()
    names = {"utm_source", "utm_medium", "utm_campaign"}
    return tuple(sorted(f"{name}={value}" for name, value in parse_qsl(query) if name in names))


def _is_personal(mail: ParsedMail, target: str) -> bool:
    personal = (mail.source.unsubscribe_url, mail.source.preferences_url)
    paths = tuple(f"{mail.source.base_url}/{letter}/" for letter in ("u", "p"))
    return target.startswith((*personal, *paths))


def _host(target: str) -> str:
    try:
        return urlsplit(target).hostname or "" if target.startswith(("https://", "http://")) else ""
    except ValueError:
        return ""


def list_links(mail: ParsedMail) -> list[str]:
    """Return the web addresses in the email, each once, without our own pages, in document order."""
    links: dict[str, Node] = {}
    for link in mail.find_all("a"):
        target = link.get("href") or ""
        if _host(target) and not mail.source.is_own(target):
            links.setdefault(target, link)
    return list(links)

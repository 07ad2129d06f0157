"""Checks 5, 6 and 19 to 23: pictures have alt texts and dimensions that Outlook respects, and are not too
heavy."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, excerpt, finding
from mailer.checks.mail.stylesheet import parse_declarations

_MAX_WIDTH = 640
_PHONE_WIDTH = 480
_FORMATS = frozenset({"jpg", "jpeg", "png", "gif"})
_DENSITY = (1.5, 2.5)
_MAX_PICTURE_BYTES = 200_000
_WARN_MAIL_BYTES, _MAX_MAIL_BYTES = 500_000, 1_000_000
# SpamAssassin's HTML_IMAGE_ONLY rules start at 400 characters, its HTML_IMAGE_RATIO at two characters per
# thousand square pixels.
_FEWEST_LETTERS = 400
_FEWEST_PER_AREA = 0.002
_GENERIC = re.compile(
    r"(an? |the )?(image|picture|photo(graph)?|logo|icon|banner|illustration|drawing)s?( (of|showing)\b.*)?",
    re.IGNORECASE,
)


def check_alt_texts(mail: ParsedMail) -> Iterator[MailFinding]:
    """5 and 6: every picture has an alt text; a linked picture says where the link goes."""
    for picture in mail.find_all("img"):
        source, alt = picture.get("src") or "", picture.get("alt")
        if alt is None:
            yield finding(
                "no-alt",
                gettext_noop(
                    "the picture %(name)s has no alt, so screen readers read out its file name. Describe "
                    'what it shows, or write alt="" if it is decoration.'
                ),
                name=_name(source),
                place=mail.place_of(picture),
            )
        link = picture.closest("a")
        if link is not None and not link.text and alt and _GENERIC.fullmatch(alt.strip()):
            yield finding(
                "linked-picture",
                gettext_noop(
                    "the picture “%(words)s” is a link but does not say where it goes. Describe the "
                    "destination in its alt text."
                ),
                words=excerpt(alt),
                place=mail.place_of(picture),
            )


def check_sizes(mail: ParsedMail) -> Iterator[MailFinding]:
    """19 and 20: whole pixels for Outlook, and two pixels of the file for each."""
    for picture in mail.find_all("img"):
        name = _name(picture.get("src") or "")
        width, height = picture.get("width") or "", picture.get("height")
        if not width.isdecimal() or not 0 < int(width) <= _MAX_WIDTH:
            yield finding(
                "picture-width",
                gettext_noop(
                    "the picture %(name)s has the width %(width)s, but Outlook needs whole pixels, no "
                    "wider than the email. Set width in the template."
                ),
                name=name,
                width=repr(width),
                place=mail.place_of(picture),
            )
            continue
        yield from _check_height(mail, picture, name, height)
        yield from _check_density(mail, picture, name, int(width))


def _check_height(mail: ParsedMail, picture: Node, name: str, height: str | None) -> Iterator[MailFinding]:
    if height is None:
        return
    if not height.isdecimal() or (_is_fluid(picture) and not _has_auto_height(picture)):
        yield finding(
            "picture-height",
            gettext_noop(
                "the picture %(name)s has the height %(height)s and a flexible width, so phones "
                "distort it. Set height:auto in its style, or remove the attribute."
            ),
            name=name,
            height=repr(height),
            place=mail.place_of(picture),
        )


def _is_fluid(picture: Node) -> bool:
    style = {part.name: part.value for part in parse_declarations(picture.style)}
    return style.get("width", "").endswith("%") or "max-width" in style


def _has_auto_height(picture: Node) -> bool:
    everywhere = (rule.declarations for rule, _ in picture.matched_rules if not rule.conditions)
    return any(
        part.name == "height" and part.value == "auto"
        for declarations in (*everywhere, parse_declarations(picture.style))
        for part in declarations
    )


def _check_density(mail: ParsedMail, picture: Node, name: str, width: int) -> Iterator[MailFinding]:
    image, (least, most) = mail.source.images.get(name), _DENSITY
    if image is None:
        return
    ratio = image.width / width
    # A picture beside text on a desktop screen may be as wide as the screen on a phone.
    widest = max(width, _PHONE_WIDTH) if _is_fluid(picture) else width
    if ratio >= least and round(image.width / widest, 1) <= most:
        return
    what = (
        gettext_noop("is blurred on high-density screens")
        if ratio < least
        else gettext_noop("is heavier than any screen can show")
    )
    yield finding(
        "picture-density",
        gettext_noop(
            "the picture %(name)s is %(width)s pixels wide and shown at %(shown)s, %(ratio)s for "
            "each, and %(what)s. Use a file about %(size)s pixels wide."
        ),
        name=name,
        width=image.width,
        shown=width,
        ratio=f"{ratio:.1f}",
        what=what,
        size=2 * width,
        place=mail.place_of(picture),
    )


def check_formats(mail: ParsedMail) -> Iterator[MailFinding]:
    """21: formats that every program displays."""
    for picture in mail.find_all("img"):
        source = picture.get("src") or ""
        scheme, _, rest = source.partition(":")
        ending = _name(source).rpartition(".")[2].lower()
        if scheme == "data":
            ending, what = (
                rest.partition(";")[0],
                gettext_noop("Gmail and Outlook do not show pictures from data: addresses"),
            )
        else:
            unshown = gettext_noop(
                "some programs do not show .%(ending)s files: Outlook on Windows does not show WebP, Gmail "
                "does not show SVG"
            )
            what = Phrase(unshown, ending=ending)
        if scheme == "data" or (ending not in _FORMATS and "." in _name(source)):
            yield finding(
                "picture-format",
                gettext_noop("%(source)s: %(what)s. Use JPEG, PNG or GIF."),
                source=excerpt(source, 60),
                what=what,
                place=mail.place_of(picture),
            )


def check_weight(mail: ParsedMail) -> Iterator[MailFinding]:
    """22: how much a phone has to load."""
    used = {_name(picture.get("src") or ""): picture for picture in mail.find_all("img")}
    sizes = {name: len(image.data) for name, image in mail.source.images.items() if name in used}
    for name, size in sizes.items():
        if size > _MAX_PICTURE_BYTES:
            yield finding(
                "heavy-picture",
                gettext_noop(
                    "the picture %(name)s is %(size)s kB, which loads slowly on a phone. Export it at less "
                    "than %(most)s kB."
                ),
                name=name,
                size=f"{size // 1000:,}",
                most=_MAX_PICTURE_BYTES // 1000,
                place=mail.place_of(used[name]),
            )
    total = sum(sizes.values()) + len(mail.source.html.encode())
    if total > _WARN_MAIL_BYTES:
        code = "mail-overweight" if total > _MAX_MAIL_BYTES else "mail-heavy"
        yield finding(
            code,
            gettext_noop(
                "the email and its pictures total %(size)s kB, and many people read it on a phone and "
                "pay for the data. Keep it below %(most)s kB: use fewer or smaller pictures."
            ),
            size=f"{total // 1000:,}",
            most=f"{(_MAX_MAIL_BYTES if total > _MAX_MAIL_BYTES else _WARN_MAIL_BYTES) // 1000:,}",
            key="",
            weight=total,
        )


def check_text_ratio(mail: ParsedMail) -> Iterator[MailFinding]:
    """23: there is enough text besides the pictures."""
    pictures = [picture for picture in mail.find_all("img") if (picture.get("width") or "").isdecimal()]
    if not pictures:
        return
    letters, area = len(mail.visible_text), sum(_measure_area(mail, picture) for picture in pictures)
    if letters < _FEWEST_LETTERS or letters < _FEWEST_PER_AREA * area:
        yield finding(
            "image-only",
            gettext_noop(
                "the email has %(letters)s characters of text and %(number)s pictures. Readers who block "
                "pictures see no news, and spam filters reject such email. Write what the pictures say "
                "as text."
            ),
            letters=letters,
            number=len(pictures),
            key="",
            weight=-letters,
        )


def _measure_area(mail: ParsedMail, picture: Node) -> float:
    width, height = int(picture.get("width") or 0), picture.get("height") or ""
    image = mail.source.images.get(_name(picture.get("src") or ""))
    if height.isdecimal():
        return width * int(height)
    return width * width * (image.height / image.width if image and image.width else 0.6)


def _name(source: str) -> str:
    try:
        return urlsplit(source).path.rpartition("/")[2] or source
    except ValueError:
        return source

"""Checks 5, 6 and 19 to 23: pictures have words, sizes that Outlook keeps, and do not weigh too much."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from mailer.checks.document.dom import Node
from mailer.checks.document.parsed_mail import ParsedMail
from mailer.checks.document.stylesheet import parse_declarations
from mailer.checks.finding import Finding, excerpt, finding

_MAX_WIDTH = 640
_PHONE_WIDTH = 480
_FORMATS = frozenset({"jpg", "jpeg", "png", "gif"})
_DENSITY = (1.5, 2.5)
_MAX_PICTURE_BYTES = 200_000
_WARN_MAIL_BYTES, _MAX_MAIL_BYTES = 500_000, 1_000_000
# SpamAssassin's HTML_IMAGE_ONLY rules begin at 400 letters, its HTML_IMAGE_RATIO at two letters in a thousand
# square pixels.
_FEWEST_LETTERS = 400
_FEWEST_PER_AREA = 0.002
_GENERIC = re.compile(
    r"(an? |the )?(image|picture|photo(graph)?|logo|icon|banner|illustration|drawing)s?( (of|showing)\b.*)?",
    re.IGNORECASE,
)


def check_alt_texts(mail: ParsedMail) -> Iterator[Finding]:
    """5 and 6: every picture has an alt text; one that is a link says where it leads."""
    for picture in mail.find_all("img"):
        source, alt = picture.get("src") or "", picture.get("alt")
        if alt is None:
            yield finding(
                "no-alt",
                f"the picture {_name(source)} has no alt, so its file name is read out. Say what it shows, "
                "or write "
                'alt="" where it is decoration.',
            )
        link = picture.closest("a")
        if link is not None and not link.text and alt and _GENERIC.fullmatch(alt.strip()):
            yield finding(
                "linked-picture",
                f"the picture “{excerpt(alt)}” is a link and does not say where it leads. Say that in its "
                "alt text.",
            )


def check_sizes(mail: ParsedMail) -> Iterator[Finding]:
    """19 and 20: whole pixels for Outlook, two file pixels for each."""
    for picture in mail.find_all("img"):
        name = _name(picture.get("src") or "")
        width, height = picture.get("width") or "", picture.get("height")
        if not width.isdecimal() or not 0 < int(width) <= _MAX_WIDTH:
            yield finding(
                "picture-width",
                f"the picture {name} has the width {width!r}, and Outlook needs whole pixels, no more than "
                "the mail is wide. Set width in the template.",
            )
            continue
        yield from _check_height(picture, name, height)
        yield from _check_density(mail, picture, name, int(width))


def _check_height(picture: Node, name: str, height: str | None) -> Iterator[Finding]:
    if height is None:
        return
    if not height.isdecimal() or (_is_fluid(picture) and not _has_auto_height(picture)):
        yield finding(
            "picture-height",
            f"the picture {name} has the height {height!r} and a width that bends, so phones distort it. "
            "Set height:auto in its style, or leave the attribute out.",
        )


def _is_fluid(picture: Node) -> bool:
    """Whether its width follows the screen's."""
    style = {part.name: part.value for part in parse_declarations(picture.style)}
    return style.get("width", "").endswith("%") or "max-width" in style


def _has_auto_height(picture: Node) -> bool:
    everywhere = (rule.declarations for rule, _ in picture.matched if not rule.conditions)
    return any(
        part.name == "height" and part.value == "auto"
        for declarations in (*everywhere, parse_declarations(picture.style))
        for part in declarations
    )


def _check_density(mail: ParsedMail, picture: Node, name: str, width: int) -> Iterator[Finding]:
    image, (least, most) = mail.source.images.get(name), _DENSITY
    if image is None:
        return
    ratio = image.width / width
    # One that stands beside words on a desk may be as wide as the screen on a phone.
    widest = max(width, _PHONE_WIDTH) if _is_fluid(picture) else width
    if ratio >= least and round(image.width / widest, 1) <= most:
        return
    what = "looks blurred on screens with small pixels" if ratio < least else "is heavier than anybody sees"
    yield finding(
        "picture-density",
        f"the picture {name} has {image.width} pixels for a width of {width}: {ratio:.1f} for each, and "
        f"{what}. Use a file of about {2 * width}.",
    )


def check_formats(mail: ParsedMail) -> Iterator[Finding]:
    """21: formats that every program shows."""
    for picture in mail.find_all("img"):
        source = picture.get("src") or ""
        scheme, _, rest = source.partition(":")
        ending = _name(source).rpartition(".")[2].lower()
        if scheme == "data":
            ending, what = rest.partition(";")[0], "Gmail and Outlook show no picture from a data: address"
        else:
            what = f"not every program shows .{ending}: Outlook on Windows no WebP, Gmail no SVG"
        if scheme == "data" or (ending not in _FORMATS and "." in _name(source)):
            yield finding("picture-format", f"{excerpt(source, 60)}: {what}. Use JPEG, PNG or GIF.")


def check_weight(mail: ParsedMail) -> Iterator[Finding]:
    """22: what a phone has to load."""
    used = {_name(picture.get("src") or "") for picture in mail.find_all("img")}
    sizes = {name: len(image.data) for name, image in mail.source.images.items() if name in used}
    for name, size in sizes.items():
        if size > _MAX_PICTURE_BYTES:
            yield finding(
                "heavy-picture",
                f"the picture {name} weighs {size // 1000:,} kB, and a phone waits for it. Export it below "
                f"{_MAX_PICTURE_BYTES // 1000} kB.",
            )
    total = sum(sizes.values()) + len(mail.source.html.encode())
    if total > _WARN_MAIL_BYTES:
        code = "mail-overweight" if total > _MAX_MAIL_BYTES else "mail-heavy"
        yield finding(
            code,
            f"the mail and its pictures weigh {total // 1000:,} kB, and many read it on a phone that pays "
            f"for each. Stay below {(_MAX_MAIL_BYTES if total > _MAX_MAIL_BYTES else _WARN_MAIL_BYTES) // 1000:,} kB: send fewer "
            "or smaller pictures.",
            key="",
            weight=total,
        )


def check_text_ratio(mail: ParsedMail) -> Iterator[Finding]:
    """23: words beside the pictures."""
    pictures = [picture for picture in mail.find_all("img") if (picture.get("width") or "").isdecimal()]
    if not pictures:
        return
    letters, area = len(mail.visible_text), sum(_measure_area(mail, picture) for picture in pictures)
    if letters < _FEWEST_LETTERS or letters < _FEWEST_PER_AREA * area:
        yield finding(
            "image-only",
            f"the mail has {letters} letters beside {len(pictures)} pictures; who sees no pictures gets no "
            "news, and spam filters refuse such mail. Write as text what the pictures say.",
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

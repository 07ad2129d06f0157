"""A compiled edition: all a campaign needs to send it, frozen, with holes where readers differ."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256

from editions.imaging import PreparedImage
from mailer.errors import MailerError

VERSION = 1


class CompiledVersionError(MailerError):
    """A stored edition was compiled by a program of another kind. ``version`` is what it says of itself."""

    def __init__(self, version: object) -> None:
        self.version = version
        super().__init__(
            f"this edition was compiled in format {version!r}, and this program reads format {VERSION}. "
            "Compile it again, or finish the campaign with the program that launched it."
        )


@dataclass(frozen=True, kw_only=True)
class CompiledEdition:
    """An edition in one language, dressed and ready.

    ``html`` and ``text`` hold the holes of :mod:`mailer.rendering.holes`; ``greeting`` is the pattern that
    fills the one of that name ("Dear {name},"). ``stories`` are slugs in reading order. ``images`` are the
    files its pictures name; they go to the media folder, not into :meth:`to_bytes`. ``digest`` is a SHA-256
    over everything a reader could see, in hex.
    """

    slug: str
    language: str
    title: str
    subject: str
    preheader: str
    sender_name: str
    greeting: str
    html: str
    text: str
    stories: tuple[str, ...]
    digest: str
    images: tuple[PreparedImage, ...] = field(default=(), repr=False, compare=False)

    def to_bytes(self) -> bytes:
        """This edition for storing, without its images; :meth:`from_bytes` reads it."""
        return json.dumps(
            {"version": VERSION, **asdict_without_images(self)}, ensure_ascii=False, sort_keys=True
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "CompiledEdition":
        """Read what :meth:`to_bytes` wrote; ``images`` is empty.

        Raises:
            CompiledVersionError: another version of this program wrote it.
        """
        try:
            values = json.loads(data)
            version = values.pop("version", None)
        except (ValueError, TypeError, AttributeError):
            raise CompiledVersionError(None) from None
        if version != VERSION:
            raise CompiledVersionError(version)
        return cls(**{**values, "stories": tuple(values["stories"])})


def asdict_without_images(compiled: CompiledEdition) -> dict[str, object]:
    return {name: value for name, value in asdict(compiled).items() if name != "images"}


def digest_parts(parts: Sequence[str]) -> str:
    """SHA-256 in hex over ``parts`` in order; each with its length, so that no two lists are one."""
    digest = sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()

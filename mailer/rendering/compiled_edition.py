"""A compiled edition: what every message of a campaign is made from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from editions.images.prepared_images import PreparedImage
from editions.model import Personalisation
from mailer.atomic_write import write_atomically
from mailer.errors import MailerError
from mailer.rendering.body.assembly import (
    EncodedBody,
    Selection,
    StorySpan,
    join_text,
    locate_stories,
    select_fragments,
)
from mailer.rendering.body.fragments import Parts, parse_fragments
from mailer.rendering.body.variants import NO_INTERESTS, Interests, StoryFacts, Variant, choose_stories
from mailer.rendering.web_edition import WebEdition

FORMAT_VERSION = 3
_READABLE_VERSIONS = frozenset({2, FORMAT_VERSION})
"""Version 2 had no web edition: its email is shown in its place."""


class CompiledVersionError(MailerError):
    """A stored edition was compiled by another version of the program, in the format ``version``."""

    def __init__(self, version: object) -> None:
        self.version = version
        super().__init__(
            f"this edition was compiled in format {version!r}, and this program reads format "
            f"{FORMAT_VERSION}. Compile it again, or finish the campaign with the program that launched it."
        )


@dataclass(frozen=True, kw_only=True)
class MailTexts:
    """Both parts of an email as text: of one reader, or with placeholders (``@@greeting@@``)."""

    html: str
    text: str


@dataclass(frozen=True, kw_only=True)
class CompiledEdition:
    """An edition in one language, rendered and ready to send. ``html`` and ``text`` contain the marks and the
    placeholders of :mod:`mailer.rendering.body.fragments`. ``greeting`` is the pattern for the merge tag of
    that name ("Dear {name},"), ``one_story`` and ``many_stories`` are the phrases for counts ("{count}
    stories"). ``images`` go to the media folder and are not part of :meth:`to_bytes`. ``digest`` is a SHA-256
    in hex over everything that a reader could see, and over who sees it. ``switched_off`` are the checks that
    the edition has disabled, each with its reason. ``ai_origins`` is what AI did to texts and pictures, by
    the name of the edition's file."""

    slug: str
    language: str
    title: str
    subject: str
    preheader: str
    sender_name: str
    greeting: str
    one_story: str
    many_stories: str
    html: str = field(repr=False)
    text: str = field(repr=False)
    stories: tuple[StoryFacts, ...] = field(repr=False)
    personalise: Personalisation = Personalisation.off
    switched_off: Mapping[str, str] = field(default_factory=dict, repr=False)
    ai_origins: Mapping[str, str] = field(default_factory=dict, repr=False)
    digest: str
    web: WebEdition | None = field(default=None, repr=False)
    images: tuple[PreparedImage, ...] = field(default=(), repr=False, compare=False)

    @property
    def full_variant(self) -> Variant:
        """All stories in the edition's own order: for the archive, and for readers who follow nothing."""
        return self.variant_for(NO_INTERESTS)

    def variant_for(self, interests: Interests, *, named: bool = True) -> Variant:
        """Return the variant for a reader with these ``interests``; ``named`` if their name is known."""
        stories = choose_stories(self.stories, interests, self.personalise)
        return Variant(language=self.language, stories=stories, named=named)

    def assemble(self, variant: Variant) -> MailTexts:
        """Return the email of ``variant``, which must be of this language."""
        selection = self.select(variant)
        return MailTexts(
            html=join_text(self.html_parts, selection, markup=True),
            text=join_text(self.text_parts, selection, markup=False),
        )

    def locate_stories(self, variant: Variant) -> tuple[tuple[StorySpan, ...], tuple[StorySpan, ...]]:
        """Return where the stories are in the HTML and in the text of :meth:`assemble` for ``variant``."""
        selection = self.select(variant)
        return (
            locate_stories(self.html_parts, selection, markup=True),
            locate_stories(self.text_parts, selection, markup=False),
        )

    def select(self, variant: Variant) -> Selection:
        return select_fragments(
            variant, self.stories, one_story=self.one_story, many_stories=self.many_stories
        )

    @cached_property
    def html_parts(self) -> Parts[str]:
        return parse_fragments(self.html, what=f"{self.slug}, the HTML part", markup=True)

    @cached_property
    def text_parts(self) -> Parts[str]:
        return parse_fragments(self.text, what=f"{self.slug}, the text part", markup=False)

    @cached_property
    def html_body(self) -> EncodedBody:
        return EncodedBody(self.html_parts, markup=True)

    @cached_property
    def text_body(self) -> EncodedBody:
        return EncodedBody(self.text_parts, markup=False)

    def to_bytes(self) -> bytes:
        """Serialise this edition without its images; :meth:`from_bytes` reads it."""
        values = {name: value for name, value in asdict(self).items() if name != "images"}
        return json.dumps({"version": FORMAT_VERSION, **values}, ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "CompiledEdition":
        """Read what :meth:`to_bytes` wrote; ``images`` is empty. Raise CompiledVersionError if it was written
        in another format."""
        try:
            values = json.loads(data)
            version = values.pop("version", None)
        except (ValueError, TypeError, AttributeError):
            raise CompiledVersionError(None) from None
        if version not in _READABLE_VERSIONS:
            raise CompiledVersionError(version)
        return cls(
            **{
                **values,
                "stories": tuple(
                    StoryFacts(**{**story, "countries": tuple(story["countries"])})
                    for story in values["stories"]
                ),
                "personalise": Personalisation(values["personalise"]),
            }
        )


def digest_parts(parts: Iterable[str | bytes]) -> str:
    """SHA-256 in hex over ``parts`` in order, each preceded by its length, so that different lists have
    different digests. A text counts as its UTF-8."""
    digest = sha256()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def write_media(compiled: CompiledEdition, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of ``compiled`` to ``folder``, each atomically; return their paths. A picture's name
    is derived from its content, so an existing file is the same and stays untouched."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for image in compiled.images:
        path = folder / image.name
        if not path.exists():
            # Readable by a web server that runs as another user, whatever the umask.
            write_atomically(path, image.data, mode=0o644)
        paths.append(path)
    return tuple(paths)

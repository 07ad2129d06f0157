"""The mails to be judged: themes by editions by languages by variants, and letters, as they would be sent.

The variants are those the sample's partners make of an edition, once in their order and once filtered: all of
the sample's, the extremes of those in ``tests/golden``. Each mail is built for the first partner who gets it,
and its parts are taken from the finished message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from editions.model import Edition
from editions.reader import read_edition
from mailer.database.models import TransactionalMailKind
from mailer.i18n import LANGUAGES, load_translator
from mailer.rendering.compiled_edition import write_media
from mailer.rendering.edition_compiler import compile_edition, compile_mjml
from mailer.rendering.mail_merge import reader_for
from mailer.rendering.message import build_message
from mailer.selfservice.transactional_mails import MAIL_TEXTS, build_letter
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import SAMPLE_EDITIONS, create_workspace
from tests.judges.audience import Partner, Share, list_partners, list_shares, pick_extremes
from tests.judges.correction import make_correction
from tests.judges.golden import BASE_URL, GOLDEN, list_golden

MEDIA_URL = f"{BASE_URL}/media/"
# As long as ours are, without a hyphen at which a program could break the line.
_TOKEN = "A1b2C3d4E5f6G7h8J9k0A1b2C3d4E5f6G7h8J9k"
_NOW = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail, written down in every form. ``titles`` are its stories'; ``html`` and ``text`` are the parts
    of ``eml``; ``mjml`` is what its edition was compiled from, None for a letter, and ``media`` the folder
    with its pictures. ``stands_for_its_kind`` is whether the judges of layout look at it: one variant of each
    edition, theme and language."""

    theme: str
    edition: str
    language: str
    variant: str
    titles: tuple[str, ...]
    html: Path
    text: Path
    eml: Path
    mjml: Path | None
    media: Path
    stands_for_its_kind: bool = True

    @property
    def name(self) -> str:
        return f"{self.theme}, {self.edition}, {self.language}, {self.variant}"

    @property
    def files(self) -> frozenset[Path]:
        return frozenset({self.html, self.text, self.eml, *([self.mjml] if self.mjml else [])})


def found_newsroom(folder: Path) -> Workspace:
    """A workspace of the sample, whose links are such as a real office would have."""
    root = create_workspace(folder, sample=True, now=_NOW).root
    return open_workspace(root, environ={"MAILER_WEB__BASE_URL": BASE_URL})


def list_editions(workspace: Workspace) -> list[Edition]:
    """The sample, a correction of it, then the editions of ``tests/golden``."""
    folders = sorted(path.parent for path in SAMPLE_EDITIONS.glob("*/edition.md"))
    samples, golden = (
        [read_edition(folder, sectors=workspace.settings.sectors) for folder in found]
        for found in (folders, list_golden())
    )
    return [*samples, make_correction(workspace, samples[0]), *golden]


def write_mails(
    workspace: Workspace, folder: Path, editions: Sequence[Edition], themes: Sequence[str]
) -> list[Mail]:
    """Write every mail of ``editions`` in ``themes`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(workspace, folder, list_partners(workspace))
    for edition in editions:
        for theme in themes:
            for language in edition.languages:
                writer.write(replace(edition, template=theme), language)
    return writer.mails


@dataclass
class _Writer:
    """Writes mails into one folder, each under a number of its own."""

    workspace: Workspace
    folder: Path
    partners: Sequence[Partner]
    mails: list[Mail] = field(default_factory=list)

    def write(self, edition: Edition, language: str) -> None:
        """Every variant of ``edition`` in ``language``."""
        settings = self.workspace.settings
        compiled = compile_edition(edition, settings, language=language)
        write_media(compiled, self.folder / "media")
        mjml = self.folder / f"{edition.template}.{edition.slug}.{language}.mjml"
        mjml.write_text(compile_mjml(edition, settings, language=language), "utf-8")
        titles = {
            story.slug: (story.texts.get(language) or story.texts[edition.language]).title
            for story in edition.stories
        }
        shares = list_shares(compiled, self.partners)
        if edition.folder.parent == GOLDEN:
            shares = pick_extremes(shares)
        for share in shares:
            files = {ending: self._name(edition, language, ending) for ending in ("html", "text", "eml")}
            mail = Mail(
                theme=edition.template,
                edition=edition.slug,
                language=language,
                variant=share.label,
                titles=tuple(titles[slug] for slug in share.variant.stories),
                mjml=mjml,
                media=self.folder / "media",
                stands_for_its_kind=share is shares[0],
                **files,
            )
            self._write_forms(mail, share)

    def _name(self, edition: Edition, language: str, ending: str) -> Path:
        return (
            self.folder / f"{len(self.mails) + 1:03d}.{edition.template}.{edition.slug}.{language}.{ending}"
        )

    def _write_forms(self, mail: Mail, share: Share) -> None:
        """The message as it would be sent, and its parts as who gets it would take them out."""
        settings = self.workspace.settings
        subscriber, number = share.partner.subscriber, len(self.mails) + 1
        reader = reader_for(
            subscriber, number, settings, self.workspace.keys.tokens, sectors=share.partner.sectors
        )
        # A partner of the sample who reads Chinese stands here for one who reads French.
        reader = reader._replace(language=mail.language)
        mail.eml.write_bytes(build_message(share.compiled, reader, settings, now=datetime.now(UTC)))
        _write_parts(mail)
        self.mails.append(mail)


def _write_parts(mail: Mail) -> None:
    """The parts of ``mail``, as who gets it would take them out."""
    message = message_from_bytes(mail.eml.read_bytes(), _class=EmailMessage, policy=policy.default)
    for subtype, path in (("html", mail.html), ("plain", mail.text)):
        part = message.get_body((subtype,))
        assert part is not None
        path.write_text(part.get_content(), "utf-8")


def write_letters(workspace: Workspace, folder: Path) -> list[Mail]:
    """Write the letters that readers ask for: every kind in English, one kind in every language."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(TransactionalMailKind)
    wanted = [(kind, "en") for kind in kinds] + [(kinds[0], tag) for tag in LANGUAGES if tag != "en"]
    letters = []
    for number, (kind, tag) in enumerate(wanted, 1):
        files = {ending: folder / f"{number:02d}.{kind}.{tag}.{ending}" for ending in ("html", "text", "eml")}
        translator = load_translator(tag)
        mail = Mail(
            theme="letter",
            edition=str(kind),
            language=tag,
            variant="to whom asked",
            titles=(translator.translate(MAIL_TEXTS[kind].subject),),
            mjml=None,
            media=folder,
            **files,
        )
        raw = build_letter(
            MAIL_TEXTS[kind],
            kind,
            envelope="nara@example.org",
            url=f"{BASE_URL}/p/{_TOKEN}",
            translator=translator,
            settings=workspace.settings,
            mail_id=number,
            requested_at=_NOW,
            now=datetime.now(UTC),
        )
        mail.eml.write_bytes(raw)
        _write_parts(mail)
        letters.append(mail)
    return letters

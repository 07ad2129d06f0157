"""An edition's content as it is now, and the digest by which versions of it are told apart."""

from collections.abc import Iterable
from hashlib import sha256

from editions.reader import read_edition
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.workspace import Workspace


def digest_content(edition: str, compiled: Iterable[CompiledEdition]) -> str:
    """The SHA-256 in hex of an edition's name and its content, its own language first."""
    parts = [edition, *(f"{mail.language} {mail.digest}" for mail in compiled)]
    return sha256("\n".join(parts).encode()).hexdigest()


def compile_content(workspace: Workspace, slug: str) -> tuple[CompiledEdition, ...]:
    """Compile an edition in each of its languages, its own first, without checking it.

    Raises:
        ConfigurationError: there is no such edition.
        EditionError: its files have errors.
        TemplateError: a template is wrong.
    """
    edition = read_edition(workspace.edition_folder(slug), sectors=workspace.settings.sectors)
    settings, overrides = workspace.settings, workspace.template_overrides
    return tuple(
        compile_edition(edition, settings, language=language, overrides=overrides)
        for language in (edition.language, *(tag for tag in edition.languages if tag != edition.language))
    )

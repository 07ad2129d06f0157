"""The sample workspace: its edition, the page built from it, and its readers."""

import dataclasses
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import select

from editions.model import Edition, Personalisation
from editions.reader import read_edition
from mailer.database.engine import open_session
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition, compile_mjml
from mailer.rendering.mail_merge import Reader, reader_for
from mailer.rendering.pipeline.jinja_env import make_environment, render_template
from mailer.rendering.template_context.page import Page
from mailer.rendering.template_context.page_builder import PageBuilder
from mailer.rendering.themes.template_files import load_phrases
from mailer.rendering.themes.theme_files import load_theme
from mailer.settings import Settings
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import create_workspace
from subscribers.models import Subscriber

# A file that changed a moment ago is read again each time, see editions.cache, which would
# distort the figures.
_SETTLE_SECONDS = 2.5


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One edition in its ``folder``, and its readers."""

    workspace: Workspace
    folder: Path
    edition: Edition
    readers: tuple[Reader, ...]

    @property
    def settings(self) -> Settings:
        return self.workspace.settings

    def compile(self, edition: Edition | None = None) -> CompiledEdition:
        return compile_edition(edition or self.edition, self.settings)

    def read_and_compile(self, folder: Path) -> CompiledEdition:
        """Read and compile the edition in ``folder``."""
        return self.compile(read_edition(folder, sectors=self.settings.sectors))

    def compile_for_interests(self) -> CompiledEdition:
        """Compile the edition so that it leaves out what a reader does not follow."""
        return self.compile(dataclasses.replace(self.edition, personalise=Personalisation.filter))

    def page(self) -> Page:
        edition = self.edition
        return PageBuilder(
            edition=edition,
            settings=self.settings,
            language=edition.language,
            theme=load_theme(edition.template),
            phrases=load_phrases(edition.language),
        ).build_page()

    def mjml(self) -> str:
        return compile_mjml(self.edition, self.settings)

    def inline_css(self) -> str:
        """Return the CSS rules that are inlined into style attributes."""
        name = f"email/{self.edition.template}.inline.css.j2"
        return render_template(make_environment(None, markup=False), name, page=self.page())


def prepare_sample(folder: Path) -> Sample:
    founded = create_workspace(folder, sample=True, now=datetime.now(UTC))
    workspace = open_workspace(founded.root, environ={})
    source = workspace.edition_folder(founded.editions[0])
    engine = workspace.open_database()
    with open_session(engine) as rows:
        subscribers = rows.exec(select(Subscriber)).all()
        readers = tuple(
            reader_for(subscriber, 1, workspace.settings, workspace.keys.tokens) for subscriber in subscribers
        )
    engine.dispose()
    time.sleep(_SETTLE_SECONDS)
    edition = read_edition(source, sectors=workspace.settings.sectors)
    return Sample(workspace=workspace, folder=source, edition=edition, readers=readers)

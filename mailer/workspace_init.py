"""Create a workspace, completely or not at all."""

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import editions
import subscribers
import templates
from mailer.atomic_write import write_atomically
from mailer.database.engine import open_session
from mailer.database.schema import upgrade
from mailer.errors import MailerError
from mailer.settings import SETTINGS_FILE
from mailer.workspace import KEYS_FILE, Workspace, open_workspace, write_keys
from subscribers.imports.importer import import_file

SAMPLE_EDITIONS = Path(editions.__file__).parent / "samples"
SAMPLE_PARTNERS = Path(subscribers.__file__).parent / "samples" / "partners.csv"
_SETTINGS_TEMPLATE = templates.ROOT / "workspace" / "mailer.toml"


@dataclass(frozen=True, kw_only=True)
class CreatedWorkspace:
    """A new workspace: its folder, the slugs of its editions, the number of imported partners."""

    root: Path
    editions: tuple[str, ...]
    partners: int


def create_workspace(folder: Path, *, sample: bool, now: datetime) -> CreatedWorkspace:
    """Create a workspace in ``folder``, with the sample edition and partners if ``sample``.

    It is built in a temporary folder next to ``folder`` and moved at the end, so a kill or a full disk never
    leaves half a workspace.

    Raises:
        MailerError: the folder exists and is not empty.
    """
    root = folder.absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise MailerError(f"{folder} already exists and is not empty. Choose a new or empty folder.")
    root.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        created = _fill_workspace(building, sample=sample, now=now)
        _move_into_place(building, root)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return CreatedWorkspace(root=root, editions=created.editions, partners=created.partners)


def _move_into_place(building: Path, root: Path) -> None:
    """Rename the finished folder into place.

    An existing empty folder (it may be the user's current one) is filled entry by entry, with the settings
    last: a folder without them is not a workspace yet.
    """
    if not root.exists():
        building.chmod(0o755)
        building.replace(root)
        return
    for piece in sorted(building.iterdir(), key=lambda path: path.name == SETTINGS_FILE):
        piece.replace(root / piece.name)
    building.rmdir()


def _fill_workspace(root: Path, *, sample: bool, now: datetime) -> CreatedWorkspace:
    write_atomically(root / SETTINGS_FILE, _SETTINGS_TEMPLATE.read_bytes(), durable=False)
    write_keys(root / KEYS_FILE)
    for name in ("editions", "media"):
        (root / name).mkdir()
    (root / "outbox").mkdir(mode=0o700)
    slugs = _copy_samples(root / "editions") if sample else ()
    # Ignore the environment, which may name another database or relay.
    partners = _prepare_database(open_workspace(root, environ={}), sample=sample, now=now)
    return CreatedWorkspace(root=root, editions=slugs, partners=partners)


def _copy_samples(target: Path) -> tuple[str, ...]:
    samples = sorted(path for path in SAMPLE_EDITIONS.iterdir() if (path / "edition.md").is_file())
    for sample in samples:
        _copy_folder(sample, target / sample.name)
    return tuple(sample.name for sample in samples)


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder and stop at the first file that fails; shutil.copytree would go on and list every
    failure.
    """
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _copy_folder(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


def _prepare_database(workspace: Workspace, *, sample: bool, now: datetime) -> int:
    engine = workspace.open_database()
    try:
        upgrade(engine)
        if not sample:
            return 0
        with open_session(engine) as session:
            report = import_file(
                session,
                SAMPLE_PARTNERS,
                sectors=workspace.settings.sectors,
                key=workspace.keys.suppression,
                now=now,
                basis="sample data: invented desks",
            )
            session.commit()
        return report.added
    finally:
        engine.dispose()

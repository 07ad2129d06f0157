"""Create a workspace, completely or not at all."""

import json
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Template

import editions
import subscribers
import templates
from editions.new_editions import make_slug
from editions.skeleton import create_skeleton
from mailer.atomic_write import write_atomically
from mailer.database.engine import open_session
from mailer.database.number_series import begin_series
from mailer.database.schema import upgrade
from mailer.errors import MailerError
from mailer.settings import SETTINGS_FILE
from mailer.workspace import KEYS_FILE, Workspace, open_workspace, write_keys
from subscribers.address import normalise_address
from subscribers.errors import SubscriberError
from subscribers.imports.importer import import_file
from subscribers.validation import clean_line

SAMPLE_EDITIONS = Path(editions.__file__).parent / "samples"
SAMPLE_PARTNERS = Path(subscribers.__file__).parent / "samples" / "partners.csv"
_SETTINGS_TEMPLATE = templates.ROOT / "workspace" / "mailer.toml.template"
_EXAMPLE = templates.ROOT / "workspace" / "example.toml"

# Keys of sections that are not sectors: a sector of that name would be mixed with them.
_SECTION_KEYS = frozenset({"feature", "centres-and-chairs", "campaigns", "office", "other"})
_MAX_SECTOR_NAME = 100
_MIN_POSTAL_ADDRESS = 5
_SECTOR_NAMES_HINT = """\
# Their names in the other languages of your mails and pages.
# [sector_names.fr]
# education = "Éducation"
"""
_COUNTRIES_HINT = """\
# The names of countries as your organisation writes them, where they differ from the usual ones.
# [countries]
# KR = "Republic of Korea"
"""


class Founder:
    """Who a new workspace belongs to: the values of ``[sender]``, and the sectors as names by their id."""

    def __init__(
        self, *, name: str, address: str, organisation: str, postal_address: str, sectors: str = ""
    ) -> None:
        """Check what a person has answered; ``sectors`` are names separated by commas. Raise MailerError if
        an answer cannot be used."""
        self.sender = {
            "name": check_name(name),
            "address": check_address(address),
            "organisation": check_name(organisation),
            "postal_address": check_postal_address(postal_address),
        }
        self.sender["list_id"] = f"newsletter.{self.sender['address'].rpartition('@')[2]}"
        self.sectors = name_sectors(sectors)


@dataclass(frozen=True, kw_only=True)
class CreatedWorkspace:
    """A new workspace: its folder, the slugs of its editions, the number of imported partners."""

    root: Path
    editions: tuple[str, ...]
    partners: int


def check_name(text: str) -> str:
    """Return the name of a sender or an organisation on one line. Raise MailerError if it cannot be one."""
    name = _clean(text, "name")
    if not _has_text(name):
        raise MailerError("A name cannot be empty: readers need to know who writes to them.")
    return name


def check_address(text: str) -> str:
    """Return the sender's address as it is written in SMTP. Raise MailerError if mail cannot come from it."""
    try:
        return normalise_address(text).envelope
    except SubscriberError as error:
        raise MailerError(str(error)) from error


def check_postal_address(text: str) -> str:
    """Return the postal address on one line. Raise MailerError if it is too short to be one."""
    address = _clean(text, "postal address")
    if len(address) < _MIN_POSTAL_ADDRESS or not _has_text(address):
        raise MailerError(
            "Give the full postal address, with street or post box, place and country. The law of most "
            "countries requires it in every email."
        )
    return address


def name_sectors(text: str) -> dict[str, str]:
    """Return the names in ``text``, separated by commas, by an id made from each.

    ``Education, Natural Sciences`` have the ids ``education`` and ``natural-sciences``, and a name without a
    letter or digit ``sector-`` and its number. Raise MailerError if a name is too long, or two have the same
    id.
    """
    sectors: dict[str, str] = {}
    for number, part in enumerate(re.split(r"[,;，、；]", text), start=1):
        if not (name := _clean(part, "sectors", _MAX_SECTOR_NAME)):
            continue
        slug = make_slug(name, fallback=f"sector-{number}")
        slug = f"{slug}-sector" if slug in _SECTION_KEYS else slug
        if slug in sectors:
            raise MailerError(
                f"The sectors {sectors[slug]} and {name} are too similar to tell apart. Change one of them."
            )
        sectors[slug] = name
    return sectors


def create_workspace(
    folder: Path, *, sample: bool, now: datetime, founder: Founder | None = None, edition: str = ""
) -> CreatedWorkspace:
    """Create a workspace in ``folder``, with the sample edition and partners if ``sample``.

    Without a ``founder`` it has the sender and the sectors of our example, and can send nothing. With a
    sample and a founder, the sample's sectors come before the founder's own. ``edition`` is the name of an
    edition to begin from the example of ``mailer new``. Raise MailerError if the folder exists and is not
    empty, and NewEditionError if ``edition`` is not a name for an edition, or is that of the sample.
    """
    root = folder.absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise MailerError(f"{folder} already exists and is not empty. Choose a new or empty folder.")
    root.parent.mkdir(parents=True, exist_ok=True)
    # Moved at the end, so that a kill or a full disk never leaves half a workspace.
    building = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        settings = format_settings(founder, sample=sample)
        slugs, partners = _fill_workspace(building, settings, sample=sample, edition=edition, now=now)
        _move_into_place(building, root)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return CreatedWorkspace(root=root, editions=slugs, partners=partners)


def format_settings(founder: Founder | None, *, sample: bool) -> str:
    """Return the text of ``mailer.toml`` for a new workspace, as :func:`create_workspace` writes it."""
    example = _EXAMPLE.read_text(encoding="utf-8")
    values = tomllib.loads(example)
    sender: Mapping[str, str] = values["sender"]
    sectors: Mapping[str, str] = values["sectors"]
    # With the sample belong the names of countries that its stories are written with.
    rest = example[example.index("# The names of countries") :]
    if founder is not None:
        sender = founder.sender
        sectors = {**sectors, **founder.sectors} if sample else founder.sectors
        rest = rest if sample else _COUNTRIES_HINT
    lists = "\n".join(["[sectors]", *_toml_lines(sectors), "", _SECTOR_NAMES_HINT, rest])
    pattern = Template(_SETTINGS_TEMPLATE.read_text(encoding="utf-8"))
    return pattern.substitute(sender="\n".join(_toml_lines(sender)), lists=lists)


def _clean(text: str, field: str, limit: int = 300) -> str:
    try:
        return clean_line(text, field, limit)
    except SubscriberError as error:
        raise MailerError(str(error)) from error


def _has_text(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _toml_lines(values: Mapping[str, str]) -> Iterator[str]:
    # A JSON string without control characters is a TOML string, and so is every name after cleaning.
    return (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())


def _move_into_place(building: Path, root: Path) -> None:
    """Rename the finished folder into place. An existing empty folder (it may be the user's current one) is
    filled entry by entry, with the settings last: a folder without them is not a workspace yet."""
    if not root.exists():
        building.chmod(0o755)
        building.replace(root)
        return
    for piece in sorted(building.iterdir(), key=lambda path: path.name == SETTINGS_FILE):
        piece.replace(root / piece.name)
    building.rmdir()


def _fill_workspace(
    root: Path, settings: str, *, sample: bool, edition: str, now: datetime
) -> tuple[tuple[str, ...], int]:
    write_atomically(root / SETTINGS_FILE, settings.encode(), durable=False)
    write_keys(root / KEYS_FILE)
    for name in ("editions", "media"):
        (root / name).mkdir()
    (root / "outbox").mkdir(mode=0o700)
    slugs = _copy_samples(root / "editions") if sample else ()
    # Ignore the environment, which may name another database or relay.
    workspace = open_workspace(root, environ={})
    if edition:
        create_skeleton(
            workspace.editions,
            edition,
            organisation=workspace.settings.sender.organisation,
            sectors=workspace.settings.sectors,
            countries=workspace.settings.countries,
            today=now.astimezone().date(),
        )
        slugs = (*slugs, edition)
    return slugs, _prepare_database(workspace, sample=sample, now=now)


def _copy_samples(target: Path) -> tuple[str, ...]:
    samples = sorted(path for path in SAMPLE_EDITIONS.iterdir() if (path / "edition.md").is_file())
    for sample in samples:
        _copy_folder(sample, target / sample.name)
    return tuple(sample.name for sample in samples)


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, but stop at the first failure; shutil.copytree would go on and list them all."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _copy_folder(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


def _prepare_database(workspace: Workspace, *, sample: bool, now: datetime) -> int:
    with workspace.use_database() as engine:
        upgrade(engine)
        begin_series(engine, is_restored=False)
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

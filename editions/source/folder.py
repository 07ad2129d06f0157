"""The files in an edition's folder, sorted by their names."""

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from editions.cache import FileStamp, stamp_from_stat
from editions.errors import Problem, ProblemLevel
from locales.languages import canonical_language
from locales.phrase import fill_in, gettext_noop

EDITION_FILE = "edition.md"
STORIES_FOLDER = "stories"
IMAGES_FOLDER = "images"

_EDITION_TRANSLATION = re.compile(r"edition\.(?P<language>[^.]+)\.md")
_STORY_FILE = re.compile(
    r"(?P<number>\d{3})-(?P<slug>[a-z0-9]+(?:-[a-z0-9]+)*)(?:\.(?P<language>[^.]+))?\.md", re.ASCII
)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Left behind by file managers.
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


_STRAY_STORY = gettext_noop(
    "this file is not part of the edition and will not be sent. Move it into %(folder)s/ if it is a story."
)
_STRAY_PICTURE = gettext_noop(
    "this file is not part of the edition and will not be sent. Move it into %(folder)s/."
)


@dataclass(frozen=True, kw_only=True)
class StoryFiles:
    """The files of one story, relative to the edition: its original and its translations by language."""

    number: str
    slug: str
    original: str
    translations: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class FolderContents:
    """The files of an edition; ``problems`` has those that do not belong to it. ``slug`` is the folder's own
    name. ``stamps`` has the ordinary files that were just found in the folder itself: no links, which may
    lead out of it."""

    slug: str = ""
    has_edition: bool = False
    translations: Mapping[str, str] = field(default_factory=dict)
    stories: tuple[StoryFiles, ...] = ()
    images: tuple[str, ...] = ()
    stamps: Mapping[str, FileStamp] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


# Most names are those of the last time.
@lru_cache(maxsize=5000)
def _match_story_name(name: str) -> re.Match[str] | None:
    return _STORY_FILE.fullmatch(name)


def leads_outside(folder: Path, name: str) -> bool:
    """Return whether the file ``name`` of ``folder`` is, or is behind, a link that leads out of it."""
    path = str(folder)
    for part in name.split("/"):
        path = f"{path}/{part}"
        if part == ".." or Path(path).is_symlink():
            return not (folder / name).resolve().is_relative_to(folder.resolve())
    return False


def scan_folder(folder: Path) -> FolderContents:
    """Sort the files of ``folder`` by their names. Never raises: a folder that is no edition is a problem."""
    scanner = _FolderScanner(folder)
    names = scanner.list_names(".")
    if EDITION_FILE not in names and STORIES_FOLDER not in names:
        if not scanner.problems:
            scanner.report(
                ".",
                "not-an-edition",
                f"{folder} is not an edition: it has no {EDITION_FILE}. Give the folder that contains it.",
            )
        return FolderContents(problems=tuple(scanner.problems))
    slug = folder.resolve().name
    scanner.check_names(slug, names)
    translations = scanner.sort_root_files(names)
    stories = scanner.sort_stories(scanner.list_names(STORIES_FOLDER)) if STORIES_FOLDER in names else ()
    images = tuple(scanner.list_names(IMAGES_FOLDER)) if IMAGES_FOLDER in names else ()
    return FolderContents(
        slug=slug,
        has_edition=EDITION_FILE in names,
        translations=translations,
        stories=stories,
        images=images,
        stamps=scanner.stamps,
        problems=tuple(scanner.problems),
    )


class _FolderScanner:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._taken: set[int] = set()
        self.problems: list[Problem] = []
        self.stamps: dict[str, FileStamp] = {}

    def report(
        self, path: str, code: str, message: str, level: ProblemLevel = ProblemLevel.error, **values: object
    ) -> None:
        words = fill_in(message, values)
        self.problems.append(Problem(path=path, line=1, level=level, code=code, message=words))

    def list_names(self, name: str) -> list[str]:
        """Return the names in a folder of the edition, sorted, without those of file managers."""
        path = self.folder / name
        try:
            # Not iterdir(): an entry knows its kind, and making a Path of each took longer than reading them.
            with os.scandir(path) as found:
                entries = [entry for entry in found if not _is_system_file(entry.name)]
            if name == "." or not path.is_symlink():
                self._stamp_files("" if name == "." else f"{name}/", entries)
            return sorted(entry.name for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            what = "is not a folder" if path.exists() else "does not exist"
            self.report(name, "not-an-edition", f"{path} {what}. Give the folder of an edition.")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "the name is not valid"
            self.report(
                name,
                "unreadable-file",
                f"{path} cannot be read ({why}). Check its permissions and try again.",
            )
        return []

    def _stamp_files(self, prefix: str, entries: Iterable[os.DirEntry[str]]) -> None:
        for entry in entries:
            # What is gone by now, or may not be looked at, is a problem when it is read.
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    self.stamps[prefix + entry.name] = stamp_from_stat(found)

    def check_names(self, slug: str, names: list[str]) -> None:
        if not is_slug(slug):
            self.report(
                ".",
                "bad-folder-name",
                gettext_noop(
                    "the folder's name %(slug)s becomes part of a web address, and has characters that a web "
                    "address cannot have. Use letters, digits and hyphens, as in 2021-2."
                ),
                slug=f"{slug!r}",
            )
        if EDITION_FILE not in names:
            self.report(
                EDITION_FILE,
                "missing-edition-file",
                gettext_noop("%(file)s is missing, so the email has no title and no subject. Write it."),
                file=EDITION_FILE,
            )
        if STORIES_FOLDER not in names:
            self.report(
                STORIES_FOLDER,
                "no-stories",
                gettext_noop(
                    "the folder %(folder)s/ is missing, so there are no stories to send. Write a story."
                ),
                folder=STORIES_FOLDER,
            )

    def sort_root_files(self, names: list[str]) -> dict[str, str]:
        translations: dict[str, str] = {}
        for name in names:
            if found := _EDITION_TRANSLATION.fullmatch(name):
                self._add_translation(translations, found["language"], name)
            elif name not in {EDITION_FILE, STORIES_FOLDER, IMAGES_FOLDER}:
                self._report_unexpected(name)
        return translations

    def sort_stories(self, names: list[str]) -> tuple[StoryFiles, ...]:
        originals: dict[tuple[str, str], str] = {}
        translations: dict[tuple[str, str], dict[str, str]] = {}
        self._taken = {int(found["number"]) for found in map(_match_story_name, names) if found}
        for name in names:
            path, found = f"{STORIES_FOLDER}/{name}", _match_story_name(name)
            if not found:
                self._report_misnamed(name)
            elif found["language"]:
                self._add_translation(
                    translations.setdefault((found["number"], found["slug"]), {}), found["language"], path
                )
            else:
                originals[found["number"], found["slug"]] = path
        self._report_orphans(originals, translations)
        self._report_duplicates(originals)
        if not originals:
            self.report(
                STORIES_FOLDER,
                "no-stories",
                gettext_noop("there are no stories here, so there is nothing to send. Write one."),
            )
        return tuple(
            StoryFiles(
                number=number, slug=slug, original=path, translations=translations.get((number, slug), {})
            )
            for (number, slug), path in sorted(originals.items())
        )

    def _add_translation(self, translations: dict[str, str], tag: str, path: str) -> None:
        language = canonical_language(tag)
        if language is None:
            self.report(
                path,
                "unknown-language",
                gettext_noop(
                    "%(tag)s in the file's name is not a known language tag, so no reader would get this. "
                    "Use a tag such as zh, mn, ja, ko or fr."
                ),
                tag=f"{tag!r}",
            )
        elif language in translations:
            self.report(
                path,
                "duplicate-translation",
                gettext_noop("%(other)s is a translation into %(language)s too. Keep one of them."),
                other=translations[language],
                language=language,
            )
        else:
            translations[language] = path

    def _report_unexpected(self, name: str) -> None:
        message = gettext_noop(
            "this file is not part of the edition and will not be sent. Move it out of the edition's folder."
        )
        folder = ""
        if name.endswith(".md"):
            message, folder = _STRAY_STORY, STORIES_FOLDER
        elif Path(name).suffix.lower() in {".jpg", ".jpeg", ".png", ".gif"}:
            message, folder = _STRAY_PICTURE, IMAGES_FOLDER
        self.report(name, "stray-file", message % {"folder": folder}, ProblemLevel.warning)

    def _report_misnamed(self, name: str) -> None:
        path = f"{STORIES_FOLDER}/{name}"
        if not name.lower().endswith((".md", ".markdown")):
            self.report(
                path,
                "stray-file",
                gettext_noop("this file is not a story and will not be sent. Move it elsewhere."),
                ProblemLevel.warning,
            )
            return
        self.report(
            path,
            "story-name",
            gettext_noop(
                "the name of a story's file is three digits for its place, a hyphen, and a slug of "
                "lower-case letters, digits and hyphens. Rename this file, for example to "
                "%(name)s."
            ),
            name=self._suggest_name(name),
        )

    def _suggest_name(self, name: str) -> str:
        """Return a valid name for the story ``name``, with its number or the next free multiple of ten."""
        stem = name.rpartition(".")[0].lower()
        number_match = re.match(r"\d+", stem)
        slug = re.sub(r"[^a-z0-9]+", "-", stem[number_match.end() :] if number_match else stem).strip("-")
        number = int(number_match.group()) % 1000 if number_match else 10
        while number in self._taken and number < 990:
            number = number // 10 * 10 + 10
        self._taken.add(number)
        return f"{number:03d}-{slug or 'story'}.md"

    def _report_orphans(
        self,
        originals: Mapping[tuple[str, str], str],
        translations: Mapping[tuple[str, str], Mapping[str, str]],
    ) -> None:
        for (number, slug), by_language in translations.items():
            if (number, slug) in originals:
                continue
            like = [path for (_, other), path in originals.items() if other == slug]
            advice = (
                gettext_noop("Did you mean %(name)s? Give both the same number.") % {"name": like[0]}
                if like
                else gettext_noop("Write the story, or delete this file.")
            )
            for path in by_language.values():
                self.report(
                    path,
                    "orphan-translation",
                    gettext_noop(
                        "this is a translation of %(folder)s/%(number)s-%(slug)s.md, which does not "
                        "exist. %(advice)s"
                    ),
                    folder=STORIES_FOLDER,
                    number=number,
                    slug=slug,
                    advice=advice,
                )

    def _report_duplicates(self, originals: Mapping[tuple[str, str], str]) -> None:
        numbers: dict[str, str] = {}
        slugs: dict[str, str] = {}
        for (number, slug), path in sorted(originals.items()):
            if number in numbers:
                self.report(
                    path,
                    "duplicate-number",
                    gettext_noop(
                        "%(other)s has the number %(number)s too, so it is not clear which comes first. "
                        "Change one of the numbers."
                    ),
                    other=numbers[number],
                    number=number,
                )
            if slug in slugs:
                self.report(
                    path,
                    "duplicate-slug",
                    gettext_noop(
                        "%(other)s has the slug %(slug)s too, so links could not tell the two apart. "
                        "Rename one of them."
                    ),
                    other=slugs[slug],
                    slug=slug,
                )
            numbers.setdefault(number, path)
            slugs.setdefault(slug, path)


def _is_system_file(name: str) -> bool:
    """Return whether ``name`` is hidden, or was left by a file manager or an editor."""
    return name.startswith(".") or name.endswith("~") or name.lower() in _SYSTEM_FILES


def is_slug(name: str) -> bool:
    """Return whether an edition's folder may be called ``name``, which becomes part of a web address."""
    return bool(_SLUG.fullmatch(name))

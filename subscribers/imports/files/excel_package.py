"""The parts of an Excel workbook (Office Open XML), and how they refer to each other."""

from collections.abc import Callable, Mapping
from posixpath import dirname, join, normpath

from locales.phrase import gettext_noop
from subscribers.errors import ImportFileError
from subscribers.imports.files.excel_values import is_date_format
from subscribers.imports.files.file_source import FileSource
from subscribers.imports.files.shared_texts import SharedTexts
from subscribers.imports.files.workbook import MAX_SHEETS
from subscribers.imports.files.xml_stream import read_xml
from subscribers.imports.files.zip_archive import ZipArchive

_MAX_FORMATS = 70_000


class _Collector:
    """Collects the attributes of some elements, by local name; what it ignores costs no memory."""

    def __init__(self, handlers: Mapping[str, Callable[[Mapping[str, str]], None]]) -> None:
        self.depth = 0
        self.text: list[str] = []
        self._handlers = handlers

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        self.text.clear()
        if found := self._handlers.get(name.rpartition(" ")[2]):
            found(attributes)

    def end(self, name: str) -> None:  # noqa: ARG002 - the interface of XmlHandler
        self.depth -= 1
        self.text.clear()


class ExcelPackage:
    """The parts of a workbook: which sheets it has and where, which formats are dates, the shared texts."""

    def __init__(self, archive: ZipArchive) -> None:
        self.file = archive.name
        self._archive = archive
        # Names of parts are compared without case (ECMA-376, part 2).
        self._names = {name.lower(): name for name in archive.names}
        self.main = self._find_main()
        self._targets = self._read_relationships(self.main)
        self.starts_1904 = False
        self.sheets: list[tuple[str, bool, str]] = []
        self._read_main()
        self.date_styles = self._read_date_styles()
        self._shared: SharedTexts | None = None

    def get_shared_text(self, number: str) -> str:
        """Return a text that cells share; they are read when the first cell asks for one."""
        if self._shared is None:
            self._shared = SharedTexts(self.file)
            if path := self._find_target("/sharedStrings"):
                read_xml(self.part(path), self.file, self._shared)
        return self._shared.get(number)

    def part(self, path: str) -> FileSource:
        name = self._names.get(path.lower())
        if name is None:
            raise ImportFileError(
                self.file,
                gettext_noop(
                    "it is damaged: its part %(path)s is missing. Open it in Excel and save it again."
                )
                % {"path": path},
            )
        return self._archive.member(name)

    def _find_main(self) -> str:
        for kind, target in self._read_relationships("").values():
            if kind.endswith("/officeDocument"):
                return target
        return "xl/workbook.xml"

    def _read_relationships(self, path: str) -> dict[str, tuple[str, str]]:
        """Return the type and the path of each part that ``path`` refers to, by ID."""
        found: dict[str, tuple[str, str]] = {}
        folder = dirname(path)
        name = join(folder, "_rels", f"{path.rpartition('/')[2]}.rels")

        def add(attributes: Mapping[str, str]) -> None:
            target = attributes.get("Target", "")
            whole = target.removeprefix("/") if target.startswith("/") else normpath(join(folder, target))
            if len(found) < MAX_SHEETS * 2:
                found[attributes.get("Id", "")] = (attributes.get("Type", ""), whole)

        if name.lower() in self._names:
            read_xml(self.part(name), self.file, _Collector({"Relationship": add}))
        return found

    def _find_target(self, kind: str) -> str | None:
        path = next((target for found, target in self._targets.values() if found.endswith(kind)), None)
        return path if path and path.lower() in self._names else None

    def _read_main(self) -> None:
        def add_sheet(attributes: Mapping[str, str]) -> None:
            number = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            kind, target = self._targets.get(number, ("", ""))
            if kind.endswith("/worksheet") and len(self.sheets) < MAX_SHEETS:
                hidden = attributes.get("state", "visible") != "visible"
                self.sheets.append((attributes.get("name", ""), hidden, target))

        def add_properties(attributes: Mapping[str, str]) -> None:
            self.starts_1904 = attributes.get("date1904", "0") in {"1", "true"}

        handlers = {"sheet": add_sheet, "workbookPr": add_properties}
        read_xml(self.part(self.main), self.file, _Collector(handlers))

    def _read_date_styles(self) -> set[str]:
        """Return the numbers of the styles that show a number as a date."""
        path = self._find_target("/styles")
        if path is None:
            return set()
        formats: dict[str, str] = {}
        dates: set[str] = set()
        state = {"inside": 0, "number": 0}

        def add_format(attributes: Mapping[str, str]) -> None:
            if len(formats) < _MAX_FORMATS:
                formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")

        def enter(_: Mapping[str, str]) -> None:
            state["inside"] = 1

        def leave(_: Mapping[str, str]) -> None:
            state["inside"] = 0

        def add_style(attributes: Mapping[str, str]) -> None:
            if state["inside"] and state["number"] < _MAX_FORMATS:
                if is_date_format(number := attributes.get("numFmtId", "0"), formats.get(number)):
                    dates.add(str(state["number"]))
                state["number"] += 1

        handlers = {
            "numFmt": add_format,
            "cellStyleXfs": leave,
            "cellXfs": enter,
            "cellStyles": leave,
            "dxfs": leave,
            "xf": add_style,
        }
        read_xml(self.part(path), self.file, _Collector(handlers))
        return dates

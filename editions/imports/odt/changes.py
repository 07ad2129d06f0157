"""Tracked changes: what was inserted counts as accepted, and what was deleted is not text."""

from lxml import etree

from editions.imports.odt.odf import NAMESPACES, get_attribute, plain_text
from editions.imports.omissions import OmissionKind, OmissionLog


class TrackedChanges:
    """The changes that a document keeps a record of, by id."""

    def __init__(self, text: etree._Element, omissions: OmissionLog) -> None:
        self._omissions = omissions
        self._deletions: dict[str, str] = {}
        self._insertions: set[str] = set()
        self._open: dict[str, list[str]] = {}
        for region in text.iterfind("text:tracked-changes/text:changed-region", NAMESPACES):
            name = get_attribute(region, "text:id") or region.get(
                "{http://www.w3.org/XML/1998/namespace}id", ""
            )
            deleted = region.find("text:deletion", NAMESPACES)
            if deleted is not None:
                self._deletions[name] = plain_text(deleted)
            elif region.find("text:insertion", NAMESPACES) is not None:
                self._insertions.add(name)

    def pass_mark(self, mark: etree._Element, kind: str) -> None:
        """Pass the beginning, the end or the place of a change."""
        name = get_attribute(mark, "text:change-id")
        if kind == "text:change" and name in self._deletions:
            self._omissions.count(OmissionKind.deletion, self._deletions[name])
        elif kind == "text:change-start" and name in self._insertions:
            self._open[name] = []
        elif kind == "text:change-end" and name in self._open:
            words = "".join(self._open.pop(name))
            if words.strip():
                self._omissions.count(OmissionKind.insertion, words)

    def read(self, text: str) -> None:
        """Take note of text that may be part of an insertion."""
        for words in self._open.values():
            words.append(text)

"""Reads XLIFF 2 as translators' tools return it."""

from collections.abc import Iterator

from lxml import etree

from editions.errors import DocumentError
from editions.translation_exchange.unit import ReturnedUnit, Texts
from editions.translation_exchange.xliff_inline import NAMESPACE, read_inline
from locales.phrase import Phrase, gettext_noop

_NS = f"{{{NAMESPACE}}}"
_MAX_BYTES = 20_000_000


def read_xliff(name: str, data: bytes) -> tuple[str, list[ReturnedUnit]]:
    """Read the file ``name``: the language it is a translation into, and its units. One that a tool has
    divided into segments is put together again; where one of them has no translation, the unit has none.

    Raises:
        DocumentError: it is not XLIFF 2, is damaged or too large, or has a document type.
    """
    root = _parse(name, data)
    units = [
        _read_unit(file.get("id", ""), unit)
        for file in root.iter(f"{_NS}file")
        for unit in file.iter(f"{_NS}unit")
    ]
    return root.get("trgLang", ""), units


def _parse(name: str, data: bytes) -> etree._Element:
    if len(data) > _MAX_BYTES:
        raise DocumentError(
            name,
            "file-too-large",
            gettext_noop("it is larger than any edition's texts. Choose another file."),
        )
    # No entities, no network, and no document type, in which a few bytes can become gigabytes.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise DocumentError(
            name,
            "not-xliff",
            Phrase(
                gettext_noop(
                    "it is not XML, or is damaged (%(error)s). Export it from the translation program again."
                ),
                error=error.msg,
            ),
        ) from error
    if getattr(root.getroottree().docinfo, "doctype", ""):
        typed = gettext_noop("it has a document type, which XLIFF never has.")
        raise DocumentError(name, "not-xliff", typed)
    if root.tag != f"{_NS}xliff":
        older = "urn:oasis:names:tc:xliff:document:1.2" in str(root.tag)
        advice = (
            gettext_noop("It is XLIFF 1.2: export it as XLIFF 2.1.")
            if older
            else gettext_noop("It is not XLIFF 2. Choose another file.")
        )
        raise DocumentError(name, "not-xliff", advice)
    return root


def _read_unit(file_id: str, unit: etree._Element) -> ReturnedUnit:
    data = {
        entry.get("id", ""): entry.text or ""
        for entry in unit.iter(f"{_NS}data")
        if isinstance(entry.tag, str)
    }
    sources: list[Texts] = []
    targets: list[Texts] = []
    is_whole = True
    for part in _list_parts(unit):
        source, target = part.find(f"{_NS}source"), part.find(f"{_NS}target")
        sources.append(read_inline(source, data) if source is not None else ())
        if target is not None:
            targets.append(read_inline(target, data))
        elif part.tag == f"{_NS}ignorable":
            # Space between segments, which tools need not repeat in the target.
            targets.append(sources[-1])
        else:
            is_whole = False
    identifier = unit.get("id", "")
    return ReturnedUnit(
        file_id=file_id,
        id=identifier,
        source=tuple(text for texts in sources for text in texts),
        target=tuple(text for texts in targets for text in texts) if is_whole else (),
        place=f"{file_id}, {identifier}",
    )


def _list_parts(unit: etree._Element) -> Iterator[etree._Element]:
    """The segments and what is between them, in order: of the target, where a tool has changed it."""
    parts = [
        child
        for child in unit
        if isinstance(child.tag, str) and child.tag in {f"{_NS}segment", f"{_NS}ignorable"}
    ]
    return iter(parts)

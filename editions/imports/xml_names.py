"""Names of XML with the prefixes that a format's own documents use: ``w:p`` instead of ``{http://…}p``."""

from collections.abc import Mapping

from lxml import etree


class XmlNames:
    """The names of one format. ``namespaces`` has the address of each prefix."""

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        self._namespaces = namespaces
        self._prefixes = {address: prefix for prefix, address in namespaces.items()}

    def qualified_name(self, name: str) -> str:
        """``w:p`` as lxml writes it, with the namespace of its prefix."""
        prefix, _, local = name.partition(":")
        return f"{{{self._namespaces[prefix]}}}{local}"

    def prefixed_name(self, element: etree._Element) -> str:
        """The name of ``element`` as ``w:p``; its local name alone if its namespace has no prefix."""
        if not isinstance(element.tag, str):
            return ""
        address, _, local = element.tag.removeprefix("{").rpartition("}")
        prefix = self._prefixes.get(address)
        return f"{prefix}:{local}" if prefix else local

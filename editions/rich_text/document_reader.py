"""Reads a body as the document of the rich-text editor."""

from typing import Any

from editions.rich_text.block_reader import read_blocks
from editions.rich_text.node_json import encode_document


def read_document(markdown: str) -> dict[str, Any]:
    """Read a body as a document of ProseMirror, ready for JSON.

    Its nodes are ``paragraph``, ``heading`` (level 2 or 3), ``blockquote``, ``horizontal_rule``,
    ``bullet_list`` and ``ordered_list`` with ``tight`` (and ``order``), ``list_item``, ``text`` and
    ``hard_break``; its marks ``link`` (href, title), ``em``, ``strong``, ``strike`` and ``code``. A block
    that the editor has nothing for, such as a table, is ``raw``: its text is the Markdown as it is written,
    and ``why`` a :class:`~editions.rich_text.nodes.RawReason`.

    Never raises: every text is Markdown.
    """
    return encode_document([found.block for found in read_blocks(markdown).blocks])

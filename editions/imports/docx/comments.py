"""The comments of a document, which an email does not show."""

from dataclasses import dataclass

from editions.imports.docx.ooxml import get_attribute, plain_text, qualified_name
from editions.imports.docx.package import DocxPackage
from editions.imports.omissions import name_comment, quote


@dataclass(frozen=True, kw_only=True)
class Comment:
    """A comment: how it is listed, and its text."""

    what: str
    words: str


def read_comments(package: DocxPackage) -> dict[str, Comment]:
    """The comments, by their ids."""
    root = package.parse_part(package.part_of_kind("comments"))
    found = {}
    for comment in [] if root is None else root.findall(qualified_name("w:comment")):
        author = get_attribute(comment, name="w:author")
        text = plain_text(comment)
        number = get_attribute(comment, name="w:id")
        found[number] = Comment(what=quote(name_comment(author), text), words=text)
    return found

"""OpenDocument texts written by hand, as small as LibreOffice would accept them."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from editions.imports.odt.odf import NAMESPACES

DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
MIMETYPE = "application/vnd.oasis.opendocument.text"
HEADING = '<text:h text:style-name="Heading_20_1" text:outline-level="1">{}</text:h>'
PARAGRAPH = '<text:p text:style-name="Text_20_body">{}</text:p>'
STYLES = """
<style:default-style style:family="paragraph">
<style:text-properties fo:language="en" fo:country="GB"/></style:default-style>
<style:style style:name="Standard" style:family="paragraph"/>
<style:style style:name="Text_20_body" style:display-name="Text body" style:family="paragraph"
 style:parent-style-name="Standard"/>
<style:style style:name="Heading" style:family="paragraph" style:parent-style-name="Standard"/>
<style:style style:name="Heading_20_1" style:display-name="Heading 1" style:family="paragraph"
 style:parent-style-name="Heading"><style:text-properties fo:font-weight="bold"/></style:style>
<style:style style:name="Title" style:family="paragraph" style:parent-style-name="Heading"/>
<style:style style:name="Subtitle" style:family="paragraph" style:parent-style-name="Heading"/>
<style:style style:name="Caption" style:family="paragraph" style:parent-style-name="Standard"/>
<style:style style:name="Illustration" style:family="paragraph" style:parent-style-name="Caption"/>
<style:style style:name="Table_20_Heading" style:display-name="Table Heading" style:family="paragraph"
 style:parent-style-name="Standard"><style:text-properties fo:font-weight="bold"/></style:style>
<style:style style:name="Quotations" style:family="paragraph" style:parent-style-name="Standard"/>
"""
AUTOMATIC = """
<style:style style:name="B" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style>
<style:style style:name="I" style:family="text"><style:text-properties fo:font-style="italic"/></style:style>
<style:style style:name="N" style:family="text"><style:text-properties fo:font-weight="normal"/></style:style>
<style:style style:name="X" style:family="text"><style:text-properties text:display="none"/></style:style>
<style:style style:name="S" style:family="text">
<style:text-properties style:text-line-through-style="solid"/></style:style>
<style:style style:name="U" style:family="text">
<style:text-properties style:text-position="super 58%"/></style:style>
<style:style style:name="D" style:family="text">
<style:text-properties style:text-position="-33% 58%"/></style:style>
<style:style style:name="PB" style:family="paragraph" style:parent-style-name="Text_20_body">
<style:text-properties fo:font-weight="bold"/></style:style>
<style:style style:name="PX" style:family="paragraph">
<style:text-properties text:display="none"/></style:style>
<style:style style:name="PR" style:family="paragraph" style:parent-style-name="Text_20_body">
<style:paragraph-properties fo:text-align="end"/></style:style>
<style:style style:name="TH" style:family="paragraph" style:parent-style-name="Table_20_Heading"/>
<style:style style:name="PH" style:family="paragraph" style:parent-style-name="Heading_20_1"/>
<text:list-style style:name="LB"><text:list-level-style-bullet text:level="1" text:bullet-char="•"/>
<text:list-level-style-bullet text:level="2" text:bullet-char="◦"/></text:list-style>
<text:list-style style:name="LN"><text:list-level-style-number text:level="1" style:num-format="1"/>
<text:list-level-style-bullet text:level="2" text:bullet-char="◦"/></text:list-style>
"""


def write_odt(
    path: Path,
    text: str,
    *,
    automatic: str = "",
    styles: str = "",
    pages: str = "",
    title: str = "",
    parts: Mapping[str, bytes | str] | None = None,
) -> Path:
    """Write a document with this XML in its ``office:text``, and these other ``parts``."""
    content = (
        f"<office:document-content {DECLARED}><office:automatic-styles>{AUTOMATIC}{automatic}"
        f"</office:automatic-styles><office:body><office:text>{text}</office:text></office:body>"
        "</office:document-content>"
    )
    styled = (
        f"<office:document-styles {DECLARED}><office:styles>{STYLES}{styles}</office:styles>"
        f"<office:master-styles>{pages}</office:master-styles></office:document-styles>"
    )
    meta = (
        f"<office:document-meta {DECLARED}><office:meta><dc:title>{title}</dc:title></office:meta>"
        "</office:document-meta>"
    )
    written = {
        "mimetype": MIMETYPE,
        "content.xml": content,
        "styles.xml": styled,
        "meta.xml": meta,
        "META-INF/manifest.xml": "<manifest/>",
        **(parts or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in written.items():
            archive.writestr(name, data)
    return path


def picture(part: str, *, style: str = "", inside: str = "") -> str:
    """A frame with the picture ``part``."""
    return f'<draw:frame draw:style-name="{style}"><draw:image xlink:href="{part}"/>{inside}</draw:frame>'


def note(words: str, kind: str = "footnote") -> str:
    """A note with these words."""
    return (
        f'<text:note text:note-class="{kind}"><text:note-citation>1</text:note-citation><text:note-body>'
        f"<text:p>{words}</text:p></text:note-body></text:note>"
    )


def text_box(inside: str) -> str:
    """A frame with a text box."""
    return f"<draw:frame><draw:text-box>{inside}</draw:text-box></draw:frame>"

"""Documents that are full of what an edition cannot keep: one of each kind, with no English words of their
own."""

from pathlib import Path

from tests.factories.word_documents import HEADING, PARAGRAPH, body, relations, write_package

_DRAWING = (
    "<w:r><w:drawing><wp:inline>{}<a:graphic><a:graphicData>{}</a:graphicData></a:graphic></wp:inline>"
    "</w:drawing></w:r>"
)
_BOX = (
    "<wps:wsp><wps:txbx><w:txbxContent><w:p><w:r><w:t>Uno</w:t></w:r></w:p></w:txbxContent></wps:txbx>"
    "</wps:wsp>"
)
_PICTURE = '<pic:pic><pic:blipFill><a:blip r:{}="{}"/></pic:blipFill></pic:pic>'
_FRACTION = "<m:oMath><m:f><m:num><m:r><m:t>x</m:t></m:r></m:num></m:f></m:oMath>"
_LINK = '<w:hyperlink r:id="{}"><w:r><w:t>Duo</w:t></w:r></w:hyperlink>'
_RUNS = (
    "<w:ins><w:r><w:t>Tres</w:t></w:r></w:ins>" * 2,
    "<w:del><w:r><w:delText>Quattuor</w:delText></w:r></w:del>",
    "<w:r><w:rPr><w:vanish/></w:rPr><w:t>Quinque</w:t></w:r>",
    '<w:r><w:commentReference w:id="0"/></w:r>',
    '<w:r><w:commentReference w:id="1"/></w:r>',
    _FRACTION,
    _DRAWING.format("", _BOX),
    _DRAWING.format("", '<c:chart r:id="rIdChart"/>'),
    _DRAWING.format("", '<dgm:relIds r:dm="rIdArt"/>'),
    _DRAWING.format("", '<dgm:relIds r:dm="rIdNone"/>'),
    _DRAWING.format("", "<a:p><a:r><a:t>Sex</a:t></a:r></a:p>"),
    _DRAWING.format('<wp:docPr descr="Septem"/>', ""),
    _DRAWING.format('<wp:docPr descr="Octo"/>', _PICTURE.format("link", "rIdFar")),
    _DRAWING.format('<wp:docPr descr="Novem"/>', _PICTURE.format("embed", "rIdSvg")),
    _DRAWING.format('<wp:docPr descr="Decem"/>', _PICTURE.format("embed", "rIdHeic")),
    _DRAWING.format('<wp:docPr descr="Viginti"/>', _PICTURE.format("embed", "rIdText")),
    '<w:r><w:object><v:shape/><o:OLEObject ProgID="Excel.Sheet.12"/></w:object></w:r>',
    "<w:r><w:object><v:shape/></w:object></w:r>",
    '<w:r><w:pict><v:shape><v:textpath string="Undecim"/></v:shape></w:pict></w:r>',
    '<w:r><w:sym w:font="Nota" w:char="F0E0"/></w:r>',
    *map(_LINK.format, ("rIdFile", "rIdNear", "rIdHost", "rIdNumber", "rIdName", "rIdMail", "rIdSpace")),
)
_TABLE = (
    "<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val='2'/></w:tcPr><w:p><w:r><w:t>Alfa</w:t></w:r></w:p>"
    "<w:p><w:r><w:t>Beta</w:t></w:r></w:p></w:tc></w:tr><w:tr><w:tc><w:p><w:r><w:t>Gamma</w:t></w:r></w:p>"
    "</w:tc><w:tc><w:p><w:r><w:t>Delta</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
)
_DEEP = "".join(
    f'<w:p><w:pPr><w:pStyle w:val="Heading{level}"/></w:pPr><w:r><w:t>Titulus {level}</w:t></w:r></w:p>'
    f"{PARAGRAPH.format('Textus.')}"
    for level in (2, 3, 4)
)
_COMMENTS = (
    '<w:comment w:id="0" w:author="Anna"><w:p><w:r><w:t>Duodecim</w:t></w:r></w:p></w:comment>'
    '<w:comment w:id="1"><w:p><w:r><w:t>Tredecim</w:t></w:r></w:p></w:comment>'
)
_FAR = {
    "rIdFile": "file:///etc/passwd",
    "rIdNear": "../budget.xlsx",
    "rIdHost": "https://intranet/page",
    "rIdNumber": "http://192.0.2.1/",
    "rIdName": "https://bank@example.org/",
    "rIdMail": "mailto:nobody",
    "rIdSpace": "https://a b",
}


def write_unkept_word(path: Path) -> Path:
    """A Word document."""
    said = body("").replace("<w:body></w:body>", "<a:p><a:r><a:t>Summa</a:t></a:r></a:p>")
    page = body("").replace("w:document", "w:hdr")
    page = page.replace("<w:body></w:body>", PARAGRAPH.format("Pagina A"))
    links = {
        "rIdStyles": ("styles", "styles.xml", False),
        "rIdComments": ("comments", "comments.xml", False),
        "rIdHeader": ("header", "header1.xml", False),
        "rIdFooter": ("footer", "footer1.xml", False),
        "rIdChart": ("chart", "chart1.xml", False),
        "rIdArt": ("diagramData", "data1.xml", False),
        "rIdFar": ("image", "http://192.0.2.1/x.png", True),
        "rIdSvg": ("image", "media/a.svg", False),
        "rIdHeic": ("image", "media/b.heic", False),
        "rIdText": ("image", "media/c.png", False),
        **{name: ("hyperlink", target, True) for name, target in _FAR.items()},
    }
    runs = "".join(f"<w:p><w:r><w:t>Textus. </w:t></w:r>{run}</w:p>" for run in _RUNS)
    story = HEADING.format("Fabula prima") + runs + _TABLE + _DEEP + HEADING.format("Vacua")
    notes = body("").replace("w:document", "w:comments").replace("<w:body></w:body>", _COMMENTS)
    return write_package(
        path,
        {
            "word/document.xml": body(
                PARAGRAPH.format("Salve.") + story + HEADING.format("Altera") + PARAGRAPH.format("Finis.")
            ),
            "word/_rels/document.xml.rels": relations(links),
            "word/comments.xml": notes,
            "word/header1.xml": page,
            "word/footer1.xml": page.replace("w:hdr", "w:ftr"),
            "word/chart1.xml": said,
            "word/data1.xml": said,
            "word/media/a.svg": "<svg/>",
            "word/media/b.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "word/media/c.png": b"nihil",
            "word/vbaProject.bin": b"\xd0\xcf\x11\xe0",
        },
    )


UNKEPT_PAGE = """<!doctype html><html><head><title>Acta</title><script>1</script><script>2</script></head>
<body>
<nav><a href="https://example.org/a">Alfa</a> <a href="https://example.org/b">Beta</a></nav>
<h1>Acta</h1>
<h2><a href="https://example.org/prima">Fabula prima</a> <a href="https://example.org/alia">alia</a></h2>
<p>Textus longus. <span style="display:none">Arcana</span></p>
<p><a href="https://example.org/tacita"></a> Textus.</p>
<p><a href="ftp://example.org/"> </a><button>Preme</button><input placeholder="Nomen"></p>
<p><img src="pixel.gif" width="1" height="1"><img src="parva.png" width="16" height="16" alt="Parva">
<img src="absens.png" width="400" height="300" alt="Absens"></p>
<p><svg aria-label="Pictura"></svg></p>
<iframe src="https://example.org/ludus">Ludus</iframe><video src="https://example.org/film.mp4"></video>
<audio src="https://example.org/sonus.mp3"></audio>
<math><mfrac><mi>x</mi><mi>y</mi></mfrac></math>
<h2>Fabula altera</h2><p>Textus alius.</p>
<p><a href="https://example.org/unsubscribe?u=1">Unsubscribe</a></p>
</body></html>
"""
"""A web page."""


def format_unkept_feed(entries: int) -> str:
    """A feed of so many entries, the first of them without text, of which pictures cannot be fetched."""
    items = "".join(
        f"<item><title>Fabula {number}</title><link>https://example.org/{number}</link>"
        f"<description>{'' if number == 0 else _ENTRY}</description></item>"
        for number in range(entries)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Acta</title>{items}</channel></rss>'


_ENTRY = "&lt;p&gt;Textus. &lt;img src='https://example.org/imago.png' alt='Imago'&gt;&lt;/p&gt;"

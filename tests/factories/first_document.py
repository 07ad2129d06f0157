"""The Word document that the commands of docs/start.md start from, written as people write in Word."""

from pathlib import Path

from tests.factories.word_documents import draw, start_document

STORIES = {
    "The ferry runs again": "After eleven weeks of repairs the ferry between Riverton and the east bank runs "
    "every hour again. The first crossing carried forty pupils to their school, an hour away by road.",
    "Clean water for three villages": "Three villages above the dam now have wells of their own. Six people "
    "were trained to look after the pumps, and every test of the water hangs in the village hall.",
}


def write_document(folder: Path) -> Path:
    """Write the document where the commands of docs/start.md look for it."""
    document = start_document("News from the harbour")
    for title, words in STORIES.items():
        document.add_heading(title, level=1)
        document.add_paragraph(words)
    picture = document.add_picture(draw())
    picture._inline.docPr.set("descr", "A pump beside a well")
    path = folder / "spring.docx"
    document.save(str(path))
    return path

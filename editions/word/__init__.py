"""From a Word document to an edition: what was written is carried over, and what was not is said.

::

    package      the .docx as a zip, opened within limits; nothing outside it is ever read
    styles       what a paragraph is by its style: title, heading, caption, quotation
    drawings     pictures, which are kept, and what else is drawn, which is named
    lists        items of lists, counted across what stands between them
    simplifying  the document without what a mail cannot carry, each such thing noted with its place
    packing      the simplified parts as a new .docx
    converting   the simplified document as HTML, by mammoth
    splitting    the HTML as a manuscript: one chapter per Heading 1
    tidying      each chapter as blocks a mail can show: tables as grids, links that work, plain emphasis
    spans        words of one look each, so that Markdown cannot misread them
    tables       tables as plain grids
    markdown     the blocks as Markdown that reads as it was written, by markdownify
    pictures     the pictures as files a mail can carry
    languages    which language it is in
    lettering    the letter, its heading and who signs it
    composing    edition.md and the stories' files
    reading      from the open document to the bodies of an edition
    losses       what was left behind, and where it stood
    importing    all of it, into a folder that is whole or not there
"""

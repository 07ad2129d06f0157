"""From a Word document to an edition: its text is kept, and everything that cannot be kept is reported.

::

    docx       open the .docx within limits, and reduce it to what mammoth and an email can carry
    html       convert it to HTML, split it into chapters (one for each Heading 1), and clean each of them
    output     write the chapters as Markdown, with their letter, pictures and front matter
    document   the whole way from an open document to clean chapters
    importer   everything, into a folder that is complete or not there
"""

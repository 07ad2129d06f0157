"""From a document to an edition: its text is kept, and everything that cannot be kept is reported.

::

    file_formats      tell what the file is by its content
    docx              open a .docx within limits, reduce it to what mammoth can carry, convert it to HTML
    odt               open an .odt within the same limits, and convert it to HTML
    web_page          parse a saved page within limits, and keep what readers saw of it
    source_document   the document as every reader of a format hands it on: HTML, pictures, properties
    html              split it into chapters (one for each Heading 1), and clean each of them
    document          the whole way from a document to clean chapters
    feed_parser       a feed's entries
    feed_stories      from an address to clean chapters, one for each entry; files come through a function
    edition_files     the text of each file, with its letter, pictures and front matter
    markdown_writer   a chapter as Markdown that reads the same
    importer          everything, into a folder that is complete or not there
"""

"""The content of the newsletter: an edition is one issue, a folder of Markdown files and pictures.

::

    2021-2/                           the folder's name is the edition's slug
      edition.md                      title, number, period, date, language, subject, preheader, template,
                                      sender, letter, introductions, follow; the body is the letter
      edition.zh.md                   the same in another language (optional)
      stories/010-esd-hiratsuka.md    title, sector, countries, kind, date, image, read_more, everyone; body
      stories/010-esd-hiratsuka.zh.md the same story in another language (optional)
      images/esd-hiratsuka.jpg        JPEG, PNG or GIF, used by the stories

Each Markdown file begins with front matter between two ``---`` lines: YAML 1.2, with every value read as a
string first, so that ``NO`` stays Norway and ``1.10`` stays 1.10. :mod:`editions.source.schema` defines the
keys. Stories are in the order of their numbers. In a body, ``##`` and ``###`` are headings; raw HTML and
pictures are not allowed. :func:`editions.reader.inspect_edition` reads a folder and finds its problems.
"""

"""An example edition to start from, with every key of the front matter explained.

The explanations are the descriptions of the schema. A key directly after a ``#`` is shown but not set.

::

    texts      the texts of the example
    examples   the keys that each of its files sets, and those it only shows
    formatter  an example as the text of a file
    create     the folder, complete or not there
"""

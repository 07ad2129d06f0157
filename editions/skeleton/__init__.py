"""A first edition to write over: every key of the front matter, explained, and stories that explain the rest.

The explanations are the schema's own. A key behind a ``#`` and no space is shown and not set.

::

    words      what the example says
    examples   which keys each of its files sets, and which it only shows
    composing  a file's text from its example
    making     the folder, whole or not there
"""

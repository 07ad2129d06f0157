"""The translations of an edition: how far each is, writing one beside its original, and having them made
elsewhere.

::

    overview        stories and languages, and how far each translation is
    exchange        all texts as a file for translators elsewhere, and what comes back
    imported_texts  writing what came back
    routes          the paths of these pages
    writing         the page of one translation, and what a save leads to
    saving          saving it, and how far it is
    page_context    what that page shows: each text of the original beside its translation
    composition     the file of a translation with what a form says
    place           which translation a request is about
    wording         what states and fields are called
"""

"""The history of texts, conflicts between two of them, and who has a story open.

::

    text_place       which text a request is about, in the file or only in the history
    entry_words      what the kinds of entries are called
    history_pages    the history of a text, and of a whole edition
    comparison       two texts of the history beside each other, and restoring one
    conflict_parts   the parts of a conflict as its page shows them
    conflict_page    what could not be saved, and settling it
    presence         who else has a text open
    waiting_texts    what could not be saved, for the first page
"""

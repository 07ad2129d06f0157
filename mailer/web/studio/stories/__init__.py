"""Writing a story, or the letter of an edition: the page with its form, its preview beside the text, and its
checks.

::

    place            which text a request is about
    fields           the fields of the form, and the keys of the front matter they stand for
    composition      the text of a file with what a form says in place of what it had
    page_context     what the page shows
    writing          the page, and saving
    preview          the email made of it, saved or not
    variants         who gets which version, and how large it is
    check_list       problems, each with the place in the form it is about
    checks           the page of problems
"""

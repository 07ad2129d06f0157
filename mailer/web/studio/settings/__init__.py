"""The settings of the workspace, changed key by key: for managers.

::

    sections       what there is to set, in groups, each with a page
    words          what each setting is called and what it does, in the words of the team
    fields         settings as the fields of a form, and back
    saving         writes what was changed, with its line in the log
    section_page   the page of one section
    index_page     the list of all sections
"""

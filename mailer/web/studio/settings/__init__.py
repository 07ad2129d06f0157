"""The settings of the workspace, changed key by key: for managers.

::

    sections        what there is to set, in groups, each with a page
    words           what each setting is called and what it does, in the words of the team
    fields          settings as the fields of a form, and back
    saving          writes what was changed, with its line in the log
    field_form      a form of settings, from its page to the file
    section_page    the page of one section
    index_page      the list of all sections
    step_pages      the steps of an approval
    sector_pages    the sectors: names, order, colours
    country_pages   the countries: names, time zones, labels
    relay_summary   what pages show of a relay
    relay_pages     the relays: one's settings, another one, one less
    relay_trial     trying a relay, and a test mail
    secret_pages    passwords and other secrets
    sign_in_pages   signing in without a password
"""

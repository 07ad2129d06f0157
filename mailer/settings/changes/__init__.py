"""Changes to ``mailer.toml`` that leave every other byte as it was.

::

    toml_nodes      where each table, each key and each value stands in a text of TOML
    toml_writer     keys and values as TOML
    toml_array      an array with other items, the lines of the others as they were
    toml_splicer    the text with other values for some keys
    settings_file   reads the file, and replaces it under a lock if what was asked for is valid
    setting         one setting as people fill it in: what it takes, its value as text and back
    relay_changes   another relay beside those that are there, and one less
    secret_places   the secrets that settings ask for, each with the key that names its file
    secret_files    passwords and the like, each in a file of its own
"""

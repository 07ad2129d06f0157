"""Changes to an edition that leave everything else as it was written.

::

    yaml_writer          values as YAML, quoted only where they must be
    yaml_splicer         where each key and value stands, the places to change, and what to write there
    front_matter_change  the front matter of a file with new values for chosen keys
    story_text           a story's text with what a form says in place of what it had
    translation_text     a translation's text with what was translated
    story_order          the renames that move a story or make room for one, and survive a kill
"""

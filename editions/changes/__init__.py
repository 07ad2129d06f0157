"""Changes to an edition that leave everything else as it was written.

::

    yaml_nodes           where each key and each value of YAML stands in its text
    yaml_writer          values as YAML, quoted only where they must be
    yaml_splicer         the places to change, and what to write there
    front_matter_change  the front matter of a file with new values for chosen keys
    file_moves           renames that a kill cannot leave half done for good
    story_order          the renames that move a story, or make room for one
    edition_copy         an empty edition, and a copy of another
"""

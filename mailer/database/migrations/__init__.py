"""The history of the schema, one file a step under ``versions``; it travels in the wheel."""

"""Files of partners that wait in Studio: kept, checked by a dry run, imported once, deleted."""

"""Writing the chapters as the files of an edition."""

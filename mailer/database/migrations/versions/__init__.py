"""The steps. A file is named after its revision and is never edited once released."""

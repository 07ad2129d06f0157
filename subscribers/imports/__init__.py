"""Imports: a file's rows read, checked and stored, and an import taken back."""

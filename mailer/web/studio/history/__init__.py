"""The history of texts, conflicts between two of them, and who has a story open."""

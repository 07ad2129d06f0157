"""Writing a story, or the letter of an edition."""

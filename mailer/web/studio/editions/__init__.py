"""The pages of editions: all of them, one of them with its stories, and new ones."""

"""The comments on stories: beside the story as a panel, and as pages of their own."""

"""From an edition and a theme to the bytes of one reader's message: compile once, fill and send for each."""

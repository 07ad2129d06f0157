"""Turns an edition and a theme into each reader's message: compiled once, completed for every reader."""

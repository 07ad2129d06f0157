"""Launching a campaign: what will happen, the number to type, undoing it, a second person; trial mode."""

"""How far a campaign is, once a second, for all who watch it."""

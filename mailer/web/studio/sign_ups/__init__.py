"""Sign-ups that wait for a person of the team."""

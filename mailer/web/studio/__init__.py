"""Studio: the team's own pages, under /studio."""

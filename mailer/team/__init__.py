"""The team: who belongs to it, what each may do, and where they are signed in."""

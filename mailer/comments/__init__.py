"""What the team says to each other about stories: in the database, never in the files of an edition."""

"""What comes back from readers: leaving, coming back, choosing."""

"""From the reduced document to clean HTML, one chapter for each story."""

"""The pages readers reach from a mail: unsubscribing, preferences, signing up, their data."""

"""Answers whether a mail is really from us, without saying whose it is, and keeps the fakes for the team."""

"""Bounces: the formats in which servers report, and why a message came back."""

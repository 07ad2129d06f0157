"""Aggregate reports of DMARC (RFC 9990): receivers tell who sends in our name, and what they made of it."""

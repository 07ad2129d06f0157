"""Puts editions, subscribers and templates together, and sends: one message per partner, exactly accounted for."""

__version__ = "0.1.0"

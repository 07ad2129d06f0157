"""Puts editions, subscribers and templates together, and sends: one message a partner, all accounted for."""

__version__ = "0.1.0"

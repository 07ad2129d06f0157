"""Combines editions, subscribers and templates and sends one message to each partner with an exact ledger."""

__version__ = "0.1.0"

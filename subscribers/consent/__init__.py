"""Consent: every change of a subscriber's status, the record of it, and the addresses that must never get
mail."""

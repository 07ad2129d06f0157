"""Campaigns: planned, launched, sent, moved and reported on."""

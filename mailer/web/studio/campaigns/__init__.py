"""Campaigns: the list and the calendar of all, preparing one step by step, and what became of it."""

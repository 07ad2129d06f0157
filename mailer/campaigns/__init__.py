"""Campaigns: plan, launch, schedule, send, and report on them."""

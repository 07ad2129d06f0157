"""Approvals: in how many steps, by whom, of what exactly, and whether they still count."""

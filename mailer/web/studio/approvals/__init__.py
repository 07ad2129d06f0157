"""Approvals: asking for one, what is asked for exactly as it was, answers, steps, and reviewers outside."""

"""A campaign while it is sent: its numbers live, doubts, pausing and cancelling it, and the machines."""

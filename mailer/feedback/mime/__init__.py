"""Reads any bytes as a message: what comes back is often broken, and must never be lost."""

"""The whole journey on embedded parts, for somebody who wants to see it before believing it."""

"""Signs in to relays and mailboxes by OAuth 2.0 (RFC 6749), keeps the sign-ins, and renews their tokens."""

"""Signing in to Studio: by a link, a password, a passkey, or at the organisation."""

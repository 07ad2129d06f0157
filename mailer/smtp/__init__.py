"""An SMTP client that keeps its server busy and always knows which message may have arrived."""

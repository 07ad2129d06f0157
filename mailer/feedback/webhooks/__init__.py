"""Mail providers' webhooks: checks who sent a request, and reads its JSON into events."""

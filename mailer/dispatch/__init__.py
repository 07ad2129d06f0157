"""Send campaigns: the ledger of deliveries, the relays, the connections to them, and the rates."""

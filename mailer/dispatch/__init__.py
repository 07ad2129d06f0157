"""Handing messages over: the ledger, the relays, and the lines that send."""

"""Handing messages over: the ledger, the transports, and the threads that send."""

"""The ledger: claiming deliveries, recording how they ended, and the transitions allowed between their
states."""

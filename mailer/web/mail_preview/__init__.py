"""What every preview of an edition shares: compiling it, what to show of it, and as whom."""

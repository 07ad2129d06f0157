"""Who gets a campaign: segments, past deliveries, the law of a reader's country, and comparisons."""

"""The pages and feeds of past editions, which anybody may read."""

"""What comes back after a campaign: bounces, complaints, automatic replies, replies, and leaving by mail."""

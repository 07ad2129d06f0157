"""What came back: messages that wait for a judgement, replies, proposed successors, and all others."""

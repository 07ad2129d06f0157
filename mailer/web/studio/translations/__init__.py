"""The translations of an edition: how far each is, writing one, and having them made elsewhere."""

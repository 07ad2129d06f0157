"""The two bodies of an email: cut into fragments, assembled per variant, encoded for transfer."""

"""The two bodies of a mail: cut into fragments, assembled per variant, encoded for transfer."""

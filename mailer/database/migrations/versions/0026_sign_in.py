"""How people sign in to Studio: links, passwords, passkeys, an organisation's own sign-in."""

revision = "0026_sign_in"
down_revision = "0025_team"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""

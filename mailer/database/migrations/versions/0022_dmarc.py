"""Who sends as us: the aggregate reports of DMARC."""

revision = "0022_dmarc"
down_revision = "0021_reports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass

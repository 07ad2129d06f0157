"""The figures of campaigns that cost too much to count for every look."""

revision = "0021_reports"
down_revision = "0020_clicks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass

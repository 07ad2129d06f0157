"""Every table of the first release."""

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)

from mailer.database.schema import create_job_tables

revision = "0001_tables"
down_revision = None
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does. Only the names of
# constraints and indexes come from the models' naming convention.
_TIME = DateTime(timezone=True)
_EVENTS = (
    "imported requested subscribed updated paused resumed unsubscribed bounced complained suppressed "
    "unsuppressed erased reconfirmed merged"
)
_REASONS = (
    "no_such_user no_such_host has_moved does_not_accept unconfirmed full over_quota greylisted too_big "
    "content spam policy authentication blocked network suspended expired other complaint"
)
_PARTS = (
    "ledger reasons in_doubt breakdown hand_over departures lost_organisations clicks months warnings mailed"
)
_WAITS = "state = 'unconfirmed' OR state = 'waiting'"


def upgrade() -> None:
    _create_list()
    _create_team()
    _create_campaigns()
    _create_import_files()
    _create_sign_in()
    _create_activity()
    _create_preparation()
    _create_approvals()
    _create_launches()
    _create_reconfirmations()
    _create_clicks()
    _create_feedback()
    _create_dmarc_reports()
    _create_mail_domains()
    _create_reports()
    _create_counts()
    _create_revisions()
    _create_comments()
    _create_translations()
    _create_fakes()
    if op.get_bind().dialect.name == "postgresql":
        # Room on a page for the next state of a delivery, which then needs no new entry in the indexes.
        op.execute("ALTER TABLE delivery SET (fillfactor = 70)")
        keep = _keep_on_postgresql
    else:
        keep = _keep_on_sqlite
        # INSERT OR REPLACE deletes without the trigger for DELETE, unless recursive triggers are on.
        op.execute(
            "CREATE TRIGGER activity_record_insert BEFORE INSERT ON activity_record "  # noqa: S608
            "WHEN EXISTS (SELECT 1 FROM activity_record WHERE id = new.id) "
            f"BEGIN SELECT RAISE(ABORT, '{_ACTIVITY_STAYS}'); END"
        )
    keep("consent_record", _EMPTIED, _ORPHANED, "consent records are only ever added to")
    keep("activity_record", _MASKED, "false", _ACTIVITY_STAYS)
    create_job_tables(op.get_bind())


def _choice(name: str, values: str, **options: Any) -> Column[str]:
    """Return a column that holds one of ``values``, which are separated by spaces.

    Compared one by one: SQLite builds a table for ``IN`` for each row that it checks.
    """
    check = CheckConstraint(" OR ".join(f"{name} = '{value}'" for value in values.split()), name=name)
    return Column(name, String(32), check, **{"nullable": False, **options})


def _searched_text(length: int) -> String:
    """Return the type of a text whose beginning an index finds: on PostgreSQL in the order of its bytes."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def _create_list() -> None:
    op.create_table(
        "import_batch",
        Column("id", Integer, primary_key=True),
        Column("source", String(300), nullable=False),
        Column("form", String(300), nullable=False),
        Column("basis", String, nullable=False),
        Column("at", _TIME, nullable=False),
        Column("added", Integer, nullable=False),
        Column("updated", Integer, nullable=False),
        Column("unchanged", Integer, nullable=False),
        Column("suppressed", Integer, nullable=False),
        Column("refused", Integer, nullable=False),
        Column("rolled_back_at", _TIME),
    )
    op.create_table(
        "lifted_suppression",
        Column("id", Integer, primary_key=True),
        Column("digest", String(64), nullable=False, index=True),
        _choice("reason", _EVENTS),
        Column("since", _TIME, nullable=False),
        Column("lifted_at", _TIME, nullable=False),
        Column("method", String(64), nullable=False),
        Column("lifted_by", String(300), nullable=False),
        Column("why", String(300), nullable=False),
    )
    op.create_table(
        "saved_segment",
        Column("name", String(64), primary_key=True),
        Column("text", String, nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("updated_at", _TIME, nullable=False),
    )
    op.create_table(
        "subscriber",
        Column("id", Integer, primary_key=True),
        Column("email", _searched_text(320), nullable=False),
        Column("envelope", String(320), nullable=False),
        Column("name", _searched_text(300), nullable=False),
        Column("organisation", _searched_text(300), nullable=False),
        Column("country", String(2)),
        Column("language", String(35)),
        _choice("status", "pending active paused unsubscribed bounced complained erased merged"),
        Column("paused_until", Date),
        Column("click_consent", Boolean, nullable=False, server_default=false()),
        Column("created_at", _TIME, nullable=False),
        Column("updated_at", _TIME, nullable=False),
        CheckConstraint("country IS NULL OR length(country) = 2", name="country_alpha_2"),
        CheckConstraint("email <> ''", name="email_not_empty"),
        Index("ix_subscriber_country_status_paused_until", "country", "status", "paused_until"),
        Index("ix_subscriber_name", "name", "id"),
        Index("ix_subscriber_organisation", "organisation", "id"),
        Index("uq_subscriber_email", "email", unique=True),
        # A number in a link must not become another person's when its row is deleted.
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppression",
        Column("digest", String(64), primary_key=True),
        _choice("reason", _EVENTS),
        Column("at", _TIME, nullable=False),
    )
    op.create_table(
        "consent_record",
        Column("id", Integer, primary_key=True),
        Column(
            "subscriber_id",
            Integer,
            ForeignKey("subscriber.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        _choice("event", _EVENTS),
        Column("at", _TIME, nullable=False),
        Column("method", String(64), nullable=False),
        Column("source", String(300), nullable=False),
        Column("wording", String, nullable=False),
        Column("wording_version", String(32), nullable=False),
        Column("language", String(35), nullable=False),
        Column("evidence", String, nullable=False),
        Column("import_id", Integer, ForeignKey("import_batch.id")),
        Column("basis", String(300), nullable=False, server_default=""),
    )
    op.create_table(
        "import_change",
        Column("import_id", Integer, ForeignKey("import_batch.id"), primary_key=True),
        Column(
            "subscriber_id",
            Integer,
            ForeignKey("subscriber.id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
        Column("before", String, nullable=False),
    )
    op.create_table(
        "mailed_link",
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), nullable=False),
        _choice("purpose", "subscription confirm export erase address new_address test bounce leave"),
        Column("issued_at", _TIME, nullable=False),
        Column("expires_at", _TIME, nullable=False, index=True),
        Column("used_at", _TIME),
        Column("detail", String(320), nullable=False),
        Index("ix_mailed_link_subscriber_id_purpose_issued_at", "subscriber_id", "purpose", "issued_at"),
    )
    op.create_table(
        "merged_subscriber",
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
        Column(
            "kept_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        Column("merged_at", _TIME, nullable=False),
        CheckConstraint("subscriber_id <> kept_id", name="two_people"),
    )
    op.create_table(
        "sign_up_review",
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
        Column("confirmed_at", _TIME, nullable=False),
        Column("source", String(300), nullable=False),
        Column("wording", String, nullable=False),
        Column("wording_version", String(32), nullable=False),
        Column("language", String(35), nullable=False),
        Column("evidence", String, nullable=False),
        Column("declined_at", _TIME),
        Index("ix_sign_up_review_declined_at_confirmed_at", "declined_at", "confirmed_at"),
    )
    op.create_table(
        "subscriber_country",
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
        Column("country", String(2), primary_key=True),
        CheckConstraint("length(country) = 2", name="country_alpha_2"),
        Index("ix_subscriber_country_country_subscriber_id", "country", "subscriber_id"),
    )
    op.create_table(
        "subscriber_sector",
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
        Column("sector", String(64), primary_key=True),
        Index("ix_subscriber_sector_sector_subscriber_id", "sector", "subscriber_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subscriber_tag",
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
        Column("tag", String(64), primary_key=True),
        Index("ix_subscriber_tag_tag_subscriber_id", "tag", "subscriber_id"),
        sqlite_with_rowid=False,
    )


def _create_team() -> None:
    op.create_table(
        "team_member",
        Column("id", Integer, primary_key=True),
        Column("email", String(320), nullable=False, unique=True),
        Column("name", String(200), nullable=False),
        _choice("role", "guest author approver manager"),
        Column("language", String(35), nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("removed_at", _TIME),
    )
    op.create_table(
        "team_session",
        Column("id", Integer, primary_key=True),
        Column("digest", String(64), nullable=False, unique=True),
        Column("member_id", Integer, ForeignKey("team_member.id", ondelete="CASCADE"), nullable=False),
        _choice("method", "link password passkey organisation"),
        Column("browser", String(300), nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("confirmed_at", _TIME, nullable=False),
        Column("last_seen_at", _TIME, nullable=False),
        Index("ix_team_session_member_id", "member_id"),
    )


def _create_campaigns() -> None:
    op.create_table(
        "campaign",
        Column("id", Integer, primary_key=True),
        Column("edition", String(100), nullable=False, index=True),
        Column("title", String(300), nullable=False),
        Column("subject", String, nullable=False, server_default=""),
        Column("segment", String, nullable=False),
        Column("language", String(35), nullable=False),
        _choice("state", "draft tested approved scheduled sending paused finished cancelled"),
        Column("state_reason", String, nullable=False),
        _choice("in_doubt_policy", "hold resend"),
        Column("digest", String(64), nullable=False),
        Column("content_digest", String(64), nullable=False, server_default=""),
        Column("audience", Integer, nullable=False),
        Column("rate", Float),
        Column("again", Boolean, nullable=False, server_default=false()),
        Column("scheduled_at", _TIME),
        Column("canary", Integer),
        Column("canary_minutes", Float),
        Column("canary_until", _TIME),
        Column("approved_by", String(200), nullable=False),
        Column("approved_at", _TIME),
        Column("approved_digest", String(64), nullable=False),
        Column("approved_settings", String, nullable=False, server_default=""),
        Column("created_at", _TIME, nullable=False),
        Column("launched_at", _TIME),
        Column("paused_at", _TIME),
        Column("finished_at", _TIME),
        Column("archived", Boolean, nullable=False, server_default=false()),
        Column("counts_clicks", Boolean, nullable=False, server_default=false()),
        Column("click_sectors", String, nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "number_series",
        Column("salt", String(16), primary_key=True),
        Column("first_subscriber", Integer, nullable=False),
        Column("first_campaign", Integer, nullable=False),
        Column("begun_at", _TIME, nullable=False),
    )
    op.create_table(
        "correction",
        Column("id", Integer, primary_key=True),
        Column("name", String(100), nullable=False, unique=True),
        Column("edition", String(100), nullable=False),
        Column("story", String, nullable=False),
        Column("number", Integer, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("language", String(35), nullable=False),
        Column("day", Date, nullable=False),
        Column("texts", String, nullable=False),
        Column("created_at", _TIME, nullable=False),
        UniqueConstraint("edition", "number"),
        UniqueConstraint("edition", "story", "digest"),
    )
    op.create_table(
        "dispatcher",
        Column("id", String(64), primary_key=True),
        Column("host", String(255), nullable=False),
        Column("started_at", _TIME, nullable=False),
        Column("heartbeat_at", _TIME, nullable=False),
        Column("notice", String, nullable=False, server_default=""),
    )
    op.create_table(
        "lane",
        Column("name", String(300), primary_key=True),
        Column("next_at", _TIME),
        Column("day", Date),
        Column("used", Integer, nullable=False),
    )
    op.create_table(
        "test_send",
        Column("id", Integer, primary_key=True),
        Column("edition", String(100), nullable=False),
        Column("content_digest", String(64), nullable=False),
        Column("address", String(320), nullable=False),
        Column("sent_by", String(200), nullable=False),
        Column("sent_at", _TIME, nullable=False),
        Column("is_in_doubt", Boolean, nullable=False, server_default=false()),
        Index("ix_test_send_edition_content_digest", "edition", "content_digest"),
    )
    op.create_table(
        "throttle",
        Column("key", String(100), primary_key=True),
        Column("since", _TIME, nullable=False, index=True),
        Column("used", Integer, nullable=False),
    )
    op.create_table(
        "trial_change",
        Column("id", Integer, primary_key=True),
        Column("decided_at", _TIME, nullable=False),
        Column("decided_by", String(200), nullable=False),
        Column("ends", Boolean, nullable=False),
    )
    op.create_table(
        "campaign_content",
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
        Column("language", String(35), primary_key=True),
        Column("body", LargeBinary, nullable=False),
    )
    op.create_table(
        "delivery",
        Column("id", Integer, primary_key=True),
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="RESTRICT"), nullable=False),
        Column(
            "subscriber_id",
            Integer,
            ForeignKey("subscriber.id", ondelete="RESTRICT"),
            nullable=False,
            index=True,
        ),
        _choice("state", "queued claimed in_doubt sent deferred rejected failed suppressed"),
        Column("attempts", Integer, nullable=False),
        Column("deferrals", Integer, nullable=False),
        Column("deferred_since", _TIME),
        Column("doubted", Boolean, nullable=False),
        Column("owner", String(64)),
        Column("not_before", _TIME),
        Column("code", Integer),
        Column("reason", String, nullable=False),
        Column("stories", String),
        Column("updated_at", _TIME, nullable=False),
        CheckConstraint("state <> 'claimed' OR owner IS NOT NULL", name="claimed_has_owner"),
        CheckConstraint("(state = 'deferred') = (not_before IS NOT NULL)", name="deferred_has_time"),
        CheckConstraint("state IN ('claimed', 'in_doubt') OR owner IS NULL", name="owner_only_in_hand"),
        UniqueConstraint("campaign_id", "subscriber_id"),
        _partial_index("ix_delivery_deferred", "campaign_id", "not_before", where="state = 'deferred'"),
        _partial_index("ix_delivery_doubted", "campaign_id", "id", where="doubted"),
        _partial_index("ix_delivery_in_hand", "campaign_id", where="owner IS NOT NULL"),
        _partial_index("ix_delivery_queued", "campaign_id", "attempts", "id", where="state = 'queued'"),
    )
    op.create_table(
        "letter",
        Column("id", Integer, primary_key=True),
        _choice("kind", "confirm already link export erase address new_address"),
        Column("email", String(320), nullable=False),
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE")),
        Column("detail", String(320), nullable=False),
        Column("token", String(64), nullable=False),
        Column("language", String(35), nullable=False),
        Column("wording", String, nullable=False),
        Column("wording_version", String(32), nullable=False),
        Column("origin", String(300), nullable=False),
        Column("network_rank", Integer, nullable=False, server_default="0"),
        Column("asked_at", _TIME, nullable=False),
        Column("not_before", _TIME, nullable=False, index=True),
        Column("attempts", Integer, nullable=False),
        Column("reason", String, nullable=False),
        Index("ix_letter_network_rank_not_before", "network_rank", "not_before"),
    )


def _create_import_files() -> None:
    op.create_table(
        "import_file",
        Column("id", Integer, primary_key=True),
        Column("name", String(300), nullable=False),
        Column("stored_as", String(64), nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id"), nullable=False),
        Column("asked_by", Integer, ForeignKey("team_member.id")),
        _choice("state", "checking checked importing imported discarded"),
        _choice("hitch", "changed interrupted failed", nullable=True),
        Column("choices", Text, nullable=False),
        Column("result", LargeBinary),
        Column("version", String(64), nullable=False),
        Column("uploaded_at", _TIME, nullable=False),
        Column("began_at", _TIME),
        Column("ended_at", _TIME),
        Column("import_id", Integer, ForeignKey("import_batch.id")),
        Index("ix_import_file_import_id", "import_id"),
        Index("ix_import_file_state", "state"),
    )


def _create_sign_in() -> None:
    op.create_table(
        "sign_in_mail",
        Column("id", Integer, primary_key=True),
        _choice("purpose", "first sign_in invitation"),
        Column("email", String(320), nullable=False),
        Column("browser_digest", String(64), nullable=False),
        Column("next_path", String(1000), nullable=False),
        Column("language", String(35), nullable=False),
        Column("asked_at", _TIME, nullable=False),
        Column("not_before", _TIME, nullable=False, index=True),
        Column("attempts", Integer, nullable=False),
        Column("reason", String, nullable=False),
    )
    op.create_table(
        "member_passkey",
        Column("id", Integer, primary_key=True),
        Column("member_id", Integer, ForeignKey("team_member.id", ondelete="CASCADE"), nullable=False),
        Column("credential_id", String(1400), nullable=False, unique=True),
        Column("public_key", LargeBinary, nullable=False),
        Column("sign_count", BigInteger, nullable=False),
        Column("name", String(100), nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("last_used_at", _TIME),
        Index("ix_member_passkey_member_id", "member_id"),
    )
    op.create_table(
        "member_password",
        Column("member_id", Integer, ForeignKey("team_member.id", ondelete="CASCADE"), primary_key=True),
        Column("hash", String(300), nullable=False),
        Column("changed_at", _TIME, nullable=False),
    )
    op.create_table(
        "organisation_account",
        Column("member_id", Integer, ForeignKey("team_member.id", ondelete="CASCADE"), primary_key=True),
        Column("issuer", String(300), nullable=False),
        Column("subject", String(255), nullable=False),
        Column("linked_at", _TIME, nullable=False),
        UniqueConstraint("issuer", "subject"),
    )
    op.create_table(
        "sign_in_link",
        Column("id", Integer, primary_key=True),
        Column("digest", String(64), nullable=False, unique=True),
        _choice("purpose", "first sign_in invitation"),
        Column("member_id", Integer, ForeignKey("team_member.id", ondelete="CASCADE")),
        Column("browser_digest", String(64), nullable=False),
        Column("next_path", String(1000), nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("expires_at", _TIME, nullable=False, index=True),
        Column("used_at", _TIME),
        Index("ix_sign_in_link_member_id", "member_id"),
    )
    op.create_table(
        "team_invitation",
        Column("member_id", Integer, ForeignKey("team_member.id", ondelete="CASCADE"), primary_key=True),
        Column("invited_by", Integer, ForeignKey("team_member.id", ondelete="SET NULL")),
        Column("invited_at", _TIME, nullable=False),
    )


def _create_activity() -> None:
    op.create_table(
        "activity_record",
        Column("id", Integer, primary_key=True),
        Column("at", _TIME, nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id")),
        Column("name", String(200), nullable=False),
        Column("act", String(64), nullable=False),
        Column("edition", String(200), nullable=False),
        Column("subject", String(400), nullable=False),
        Column("detail", String(1000), nullable=False),
        Index("ix_activity_record_at", "at"),
        Index("ix_activity_record_edition", "edition"),
        Index("ix_activity_record_member_id", "member_id"),
    )


def _create_preparation() -> None:
    op.create_table(
        "campaign_preparation",
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
        Column("segment", String),
        Column("segment_name", String(64), nullable=False, server_default=""),
        Column("again", Boolean, nullable=False),
        Column("count_clicks", Boolean),
        Column("start_at", _TIME),
        Column("start_zone", String(64), nullable=False),
        Column("canary", Integer),
        Column("canary_minutes", Float),
        Column("archived", Boolean),
        _choice("in_doubt_policy", "hold resend", nullable=True),
        Column("note", String, nullable=False),
        Column("version", Integer, nullable=False),
        Column("prepared_by", Integer, ForeignKey("team_member.id")),
        Column("prepared_at", _TIME, nullable=False),
        Column("changed_by", Integer, ForeignKey("team_member.id")),
        Column("changed_at", _TIME, nullable=False),
        CheckConstraint("canary IS NULL OR canary >= 0", name="canary"),
        CheckConstraint("canary_minutes IS NULL OR canary_minutes > 0", name="canary_minutes"),
        Index("ix_campaign_preparation_start_at", "start_at"),
    )
    op.create_table(
        "seen_variant",
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
        Column(
            "member_id",
            Integer,
            ForeignKey("team_member.id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
        Column("digest", String(64), primary_key=True),
        Column("seen_at", _TIME, nullable=False),
    )


def _create_approvals() -> None:
    op.create_table(
        "approval_round",
        Column("id", Integer, primary_key=True),
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False),
        Column("edition", String(100), nullable=False),
        Column("segment", String, nullable=False),
        Column("again", Boolean, nullable=False),
        Column("counts_clicks", Boolean, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("settings", String, nullable=False),
        Column("steps", String, nullable=False),
        Column("has_own_steps", Boolean, nullable=False),
        Column("facts", String, nullable=False),
        Column("note", String, nullable=False),
        _choice("state", "open approved changes_requested withdrawn replaced"),
        Column("asked_by", String(200), nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id")),
        Column("asked_at", _TIME, nullable=False),
        Column("ended_at", _TIME),
        Index("ix_approval_round_campaign_id", "campaign_id"),
        Index("ix_approval_round_digest", "digest"),
        Index("ix_approval_round_edition", "edition"),
        Index("ix_approval_round_state", "state"),
    )
    op.create_table(
        "approval_content",
        Column("round_id", Integer, ForeignKey("approval_round.id", ondelete="CASCADE"), primary_key=True),
        Column("language", String(35), primary_key=True),
        Column("body", LargeBinary, nullable=False),
    )
    op.create_table(
        "approval_reviewer",
        Column("id", Integer, primary_key=True),
        Column("round_id", Integer, ForeignKey("approval_round.id", ondelete="CASCADE"), nullable=False),
        Column("name", String(200), nullable=False),
        Column("email", String(320), nullable=False),
        Column("digest", String(64), unique=True),
        Column("expires_at", _TIME),
        Index("ix_approval_reviewer_round_id", "round_id"),
    )
    op.create_table(
        "approval_answer",
        Column("id", Integer, primary_key=True),
        Column("round_id", Integer, ForeignKey("approval_round.id", ondelete="CASCADE"), nullable=False),
        Column("person", String(220), nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id")),
        Column("reviewer_id", Integer, ForeignKey("approval_reviewer.id")),
        Column("name", String(200), nullable=False),
        Column("role", String(20), nullable=False),
        _choice("verdict", "approved changes_requested"),
        Column("words", String, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("answered_at", _TIME, nullable=False),
        UniqueConstraint("round_id", "person"),
    )
    op.create_table(
        "approval_mail",
        Column("id", Integer, primary_key=True),
        Column("round_id", Integer, ForeignKey("approval_round.id", ondelete="CASCADE"), nullable=False),
        _choice("kind", "asked answered"),
        Column("member_id", Integer, ForeignKey("team_member.id")),
        Column("reviewer_id", Integer, ForeignKey("approval_reviewer.id", ondelete="CASCADE")),
        Column("asked_at", _TIME, nullable=False),
        Column("not_before", _TIME, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("reason", String, nullable=False),
        Index("ix_approval_mail_not_before", "not_before"),
        Index("ix_approval_mail_round_id", "round_id"),
    )
    op.create_table(
        "approval_comment",
        Column("id", Integer, primary_key=True),
        Column("answer_id", Integer, ForeignKey("approval_answer.id", ondelete="CASCADE"), nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id"), nullable=False),
        Column("name", String(200), nullable=False),
        Column("text", String, nullable=False),
        Column("request", String(64), nullable=False, unique=True),
        Column("created_at", _TIME, nullable=False),
        Index("ix_approval_comment_answer_id", "answer_id"),
    )


def _create_launches() -> None:
    op.create_table(
        "halt_mail",
        Column("id", Integer, primary_key=True),
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False),
        Column("not_before", _TIME, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("reason", String, nullable=False),
        Index("ix_halt_mail_campaign_id", "campaign_id"),
        Index("ix_halt_mail_not_before", "not_before"),
    )
    op.create_table(
        "pending_launch",
        Column("id", Integer, primary_key=True),
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False),
        Column("launched_id", Integer, ForeignKey("campaign.id", ondelete="SET NULL")),
        _choice("state", "unconfirmed waiting started undone refused expired"),
        Column("edition", String(100), nullable=False),
        Column("segment", String, nullable=False),
        Column("again", Boolean, nullable=False),
        Column("counts_clicks", Boolean, nullable=False),
        Column("preparation_version", Integer),
        Column("options", String, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("count", Integer, nullable=False),
        Column("found_count", Integer),
        Column("scheduled_at", _TIME),
        Column("asked_by", Integer, ForeignKey("team_member.id"), nullable=False),
        Column("asked_at", _TIME, nullable=False),
        Column("confirmed_by", Integer, ForeignKey("team_member.id")),
        Column("due_at", _TIME),
        Column("expires_at", _TIME, nullable=False),
        Column("ended_at", _TIME),
        Column("reason", String, nullable=False),
        _partial_index("ix_pending_launch_active", "edition", "segment", unique=True, where=_WAITS),
        Index("ix_pending_launch_campaign_id_id", "campaign_id", "id"),
    )


def _create_reconfirmations() -> None:
    op.create_table(
        "reconfirmation",
        Column("id", Integer, primary_key=True),
        Column("name", String(100), nullable=False, unique=True),
        Column("segment", String, nullable=False),
        Column("asked_by", String(200), nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("answer_by", _TIME, nullable=False),
        Column("closed_at", _TIME),
    )


def _create_clicks() -> None:
    op.create_table(
        "click_key",
        Column("day", Date, primary_key=True),
        Column("key", LargeBinary(32), nullable=False),
    )
    op.create_table(
        "campaign_link",
        Column("campaign_id", Integer, ForeignKey("campaign.id"), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("url", String, nullable=False),
        Column("story", String(100), nullable=False),
        Column("label", String(300), nullable=False),
    )
    op.create_table(
        "click",
        Column("id", Integer, primary_key=True),
        Column("campaign_id", Integer, ForeignKey("campaign.id"), nullable=False),
        Column("link_number", Integer, nullable=False),
        Column("country", String(2), nullable=False),
        Column("sectors", String(1000), nullable=False),
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="SET NULL"), index=True),
        Column("clicked_at", _TIME, nullable=False),
        Column("visitor", LargeBinary(16), nullable=False),
        Column("signs", String(200), nullable=False),
        _choice("clicker", "person scanner", nullable=True),
        Index("ix_click_campaign_id_visitor", "campaign_id", "visitor"),
        Index("ix_click_clicked_at", "clicked_at"),
    )
    op.create_table(
        "click_count",
        Column("campaign_id", Integer, ForeignKey("campaign.id"), primary_key=True),
        Column("link_number", Integer, primary_key=True),
        Column("country", String(2), primary_key=True),
        Column("sectors", String(1000), primary_key=True),
        _choice("clicker", "person scanner", primary_key=True),
        Column("clicks", Integer, nullable=False),
        CheckConstraint("clicks > 0", name="clicks_positive"),
    )
    op.create_table(
        "reader_click",
        Column("campaign_id", Integer, ForeignKey("campaign.id"), primary_key=True),
        Column(
            "subscriber_id",
            Integer,
            ForeignKey("subscriber.id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
        Column("link_number", Integer, primary_key=True),
        Column("clicked_at", _TIME, nullable=False),
    )


def _create_feedback() -> None:
    op.create_table(
        "feedback_mailbox",
        Column("name", String(500), primary_key=True),
        Column("uid_validity", BigInteger, nullable=False),
        Column("last_uid", BigInteger, nullable=False),
        Column("owner", String(255), nullable=False),
        Column("leased_until", _TIME, nullable=False),
    )
    op.create_table(
        "feedback_message",
        Column("id", Integer, primary_key=True),
        Column("fingerprint", String(64), nullable=False, unique=True),
        Column("received_at", _TIME, nullable=False),
        Column("source", String(100), nullable=False),
        _choice("kind", "bounce complaint auto-reply reply leave other dmarc"),
        _choice("state", "recorded held forwarding forwarded judged"),
        Column("sender", String(320), nullable=False),
        Column("subject", String(500), nullable=False),
        Column("size", Integer, nullable=False),
        Column("raw", LargeBinary),
        Column("note", String(500), nullable=False),
        Column("judgement", String(32), nullable=False),
        Column("judged_by", String(200), nullable=False),
        Column("judged_at", _TIME),
        CheckConstraint("state <> 'forwarding' OR raw IS NOT NULL", name="forwarding_has_raw"),
        CheckConstraint("state <> 'judged' OR judged_by <> ''", name="judged_by_somebody"),
        _partial_index("ix_feedback_message_held", "id", where="state = 'held'"),
        Index("ix_feedback_message_received_at", "received_at"),
    )
    op.create_table(
        "feedback_event",
        Column("id", Integer, primary_key=True),
        Column("message_id", Integer, ForeignKey("feedback_message.id", ondelete="CASCADE"), nullable=False),
        Column("position", Integer, nullable=False),
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE")),
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="RESTRICT")),
        _choice("evidence", "token message_id address person refusal nothing"),
        Column("address", String(320), nullable=False),
        _choice("reason", _REASONS, nullable=True),
        Column("action", String(32), nullable=False),
        Column("status", String(32), nullable=False),
        Column("code", String(32), nullable=False),
        Column("words", String(1000), nullable=False),
        Column("at", _TIME, nullable=False),
        _choice("consequence", "recorded bounced complained unsubscribed alarm held unproven outdated gone"),
        Column("settled_doubt", Boolean, nullable=False),
        UniqueConstraint("message_id", "position"),
        _partial_index("ix_feedback_event_alarm", "at", where="consequence = 'alarm'"),
        _partial_index(
            "ix_feedback_event_campaign_id", "campaign_id", "reason", where="campaign_id IS NOT NULL"
        ),
        _partial_index(
            "ix_feedback_event_subscriber_id", "subscriber_id", "at", where="subscriber_id IS NOT NULL"
        ),
    )
    op.create_table(
        "feedback_reply",
        Column(
            "message_id", Integer, ForeignKey("feedback_message.id", ondelete="CASCADE"), primary_key=True
        ),
        Column("not_before", _TIME, nullable=False, index=True),
        Column("attempts", Integer, nullable=False),
        Column("reason", String(1000), nullable=False),
    )
    op.create_table(
        "feedback_successor",
        Column("id", Integer, primary_key=True),
        Column("message_id", Integer, ForeignKey("feedback_message.id", ondelete="SET NULL")),
        Column("subscriber_id", Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), nullable=False),
        Column("email", String(320), nullable=False),
        Column("name", String(300), nullable=False),
        Column("words", String(1000), nullable=False),
        _choice("state", "proposed accepted refused"),
        Column("at", _TIME, nullable=False),
        Column("decided_by", String(200), nullable=False),
        Column("decided_at", _TIME),
        CheckConstraint("state = 'proposed' OR decided_by <> ''", name="decided_by_somebody"),
        UniqueConstraint("subscriber_id", "email"),
        _partial_index("ix_feedback_successor_proposed", "id", where="state = 'proposed'"),
    )


def _create_dmarc_reports() -> None:
    op.create_table(
        "dmarc_report",
        Column("id", Integer, primary_key=True),
        Column("organisation", String(255), nullable=False),
        Column("report_id", String(255), nullable=False),
        Column("domain", String(255), nullable=False),
        Column("policy", String(255), nullable=False),
        Column("begins_at", _TIME, nullable=False),
        Column("ends_at", _TIME, nullable=False, index=True),
        Column("received_at", _TIME, nullable=False),
        UniqueConstraint("organisation", "report_id", "domain"),
    )
    op.create_table(
        "dmarc_source",
        Column("report_id", Integer, ForeignKey("dmarc_report.id", ondelete="CASCADE"), primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("source_ip", String(45), nullable=False),
        Column("messages", Integer, nullable=False),
        Column("header_from", String(255), nullable=False),
        Column("dkim", Boolean, nullable=False),
        Column("spf", Boolean, nullable=False),
        Column("disposition", String(255), nullable=False),
        Column("override", String(255), nullable=False),
        Column("dkim_domains", String(1000), nullable=False),
        Column("spf_domain", String(255), nullable=False),
    )


def _create_mail_domains() -> None:
    op.create_table(
        "mail_domain",
        Column("domain", String(255), primary_key=True),
        Column("provider", String(50), nullable=False),
        Column("looked_up_at", _TIME, nullable=False, index=True),
        Column("expires_at", _TIME, nullable=False),
    )


def _create_reports() -> None:
    op.create_table(
        "campaign_report",
        Column("id", Integer, primary_key=True),
        Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE")),
        _choice("part", _PARTS),
        Column("body", String, nullable=False),
        Column("counted_at", _TIME, nullable=False),
        Column("fingerprint", String(200), nullable=False),
        Column("cost", Float, nullable=False),
        _partial_index("uq_campaign_report_list_part", "part", unique=True, where="campaign_id IS NULL"),
        _partial_index(
            "uq_campaign_report_part", "campaign_id", "part", unique=True, where="campaign_id IS NOT NULL"
        ),
    )
    op.create_table(
        "report_mail",
        Column("id", Integer, primary_key=True),
        Column(
            "campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        Column("address", String(320), nullable=False),
        Column("queued_at", _TIME, nullable=False),
        Column("not_before", _TIME, nullable=False, index=True),
        Column("attempts", Integer, nullable=False),
        Column("reason", String(1000), nullable=False),
    )


def _create_counts() -> None:
    op.create_table(
        "counted_number",
        Column("key", String(64), primary_key=True),
        Column("body", String, nullable=False),
        Column("counted_at", _TIME, nullable=False, index=True),
        Column("stamp", String(300), nullable=False),
        Column("cost", Float, nullable=False),
    )


def _create_revisions() -> None:
    op.create_table(
        "revision_text",
        Column("id", Integer, primary_key=True),
        Column("edition", String(200), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("text", LargeBinary, nullable=False),
        Column("saved_at", _TIME, nullable=False),
        UniqueConstraint("edition", "digest"),
    )
    op.create_table(
        "edition_revision",
        Column("id", Integer, primary_key=True),
        Column("edition", String(200), nullable=False),
        _choice("kind", "found written outside merged set-aside restored added removed moved imported"),
        Column("member_id", Integer, ForeignKey("team_member.id")),
        Column("sitting", String(64), nullable=False),
        Column("began_at", _TIME, nullable=False),
        Column("ended_at", _TIME, nullable=False),
        Index("ix_edition_revision_edition", "edition"),
    )
    op.create_table(
        "story_presence",
        Column("sitting", String(64), primary_key=True),
        Column("member_id", Integer, ForeignKey("team_member.id", ondelete="CASCADE"), nullable=False),
        Column("edition", String(200), nullable=False),
        Column("story", String(200), nullable=False),
        Column("language", String(35), nullable=False),
        Column("seen_at", _TIME, nullable=False),
        Index("ix_story_presence_edition_story_language", "edition", "story", "language"),
    )
    op.create_table(
        "unsaved_text",
        Column("id", Integer, primary_key=True),
        Column("edition", String(200), nullable=False),
        Column("story", String(200), nullable=False),
        Column("language", String(35), nullable=False),
        Column("name", String(300), nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id"), nullable=False),
        Column("sitting", String(64), nullable=False),
        _choice("reason", "changed removed not-written"),
        Column("detail", String(300), nullable=False),
        Column("base_digest", String(64), nullable=False),
        Column("base", LargeBinary),
        Column("mine", LargeBinary, nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("updated_at", _TIME, nullable=False),
        Index("ix_unsaved_text_edition_story_language", "edition", "story", "language"),
        Index("ix_unsaved_text_member_id", "member_id"),
    )
    op.create_table(
        "revision_file",
        Column("id", Integer, primary_key=True),
        Column("revision_id", Integer, ForeignKey("edition_revision.id", ondelete="CASCADE"), nullable=False),
        Column("edition", String(200), nullable=False),
        Column("story", String(200), nullable=False),
        Column("language", String(35), nullable=False),
        Column("name", String(300), nullable=False),
        Column("text_id", Integer, ForeignKey("revision_text.id")),
        Column("digest", String(64), nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("words_added", Integer, nullable=False),
        Column("words_removed", Integer, nullable=False),
        Index("ix_revision_file_edition_story_language", "edition", "story", "language"),
        Index("ix_revision_file_revision_id", "revision_id"),
        Index("ix_revision_file_text_id", "text_id"),
    )


def _create_comments() -> None:
    op.create_table(
        "comment_thread",
        Column("id", Integer, primary_key=True),
        Column("edition", String(200), nullable=False),
        Column("story", String(200), nullable=False),
        Column("title", String(300), nullable=False),
        Column("language", String(35), nullable=False),
        Column("quote", String(1000), nullable=False),
        Column("block_digest", String(64), nullable=False),
        Column("block", Integer, nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("resolved_at", _TIME),
        Column("resolved_by", Integer, ForeignKey("team_member.id")),
        Index("ix_comment_thread_edition_story", "edition", "story"),
        Index("ix_comment_thread_resolved_at", "resolved_at"),
    )
    op.create_table(
        "comment",
        Column("id", Integer, primary_key=True),
        Column("thread_id", Integer, ForeignKey("comment_thread.id", ondelete="CASCADE"), nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id"), nullable=False),
        Column("text", Text, nullable=False),
        Column("request", String(64), nullable=False, unique=True),
        Column("created_at", _TIME, nullable=False),
        Column("edited_at", _TIME),
        Column("deleted_at", _TIME),
        Index("ix_comment_member_id", "member_id"),
        Index("ix_comment_thread_id", "thread_id"),
    )
    op.create_table(
        "comment_mention",
        Column("id", Integer, primary_key=True),
        Column("comment_id", Integer, ForeignKey("comment.id", ondelete="CASCADE"), nullable=False),
        Column("member_id", Integer, ForeignKey("team_member.id"), nullable=False),
        Column("read_at", _TIME),
        UniqueConstraint("comment_id", "member_id"),
        Index("ix_comment_mention_member_id", "member_id"),
    )
    op.create_table(
        "comment_mail",
        Column("mention_id", Integer, ForeignKey("comment_mention.id", ondelete="CASCADE"), primary_key=True),
        Column("asked_at", _TIME, nullable=False),
        Column("not_before", _TIME, nullable=False, index=True),
        Column("attempts", Integer, nullable=False),
        Column("reason", String, nullable=False),
    )


def _create_translations() -> None:
    op.create_table(
        "translation_base",
        Column("id", Integer, primary_key=True),
        Column("edition", String(200), nullable=False),
        Column("story", String(200), nullable=False),
        Column("language", String(35), nullable=False),
        Column("digest", String(12), nullable=False),
        Column("text", LargeBinary, nullable=False),
        Column("same_texts", LargeBinary, nullable=False),
        Column("recorded_at", _TIME, nullable=False),
        UniqueConstraint("edition", "story", "language"),
    )


def _create_fakes() -> None:
    op.create_table(
        "fake_mail",
        Column("id", Integer, primary_key=True),
        Column("digest", String(64), nullable=False, unique=True),
        Column("verdict", String(20), nullable=False),
        Column("sender", String(300), nullable=False),
        Column("subject", String(300), nullable=False),
        Column("hosts", String(2000), nullable=False),
        Column("campaign", String(100), nullable=False),
        Column("headers", String(16000), nullable=False),
        Column("times", Integer, nullable=False),
        Column("first_at", _TIME, nullable=False),
        Column("last_at", _TIME, nullable=False),
        CheckConstraint("times > 0", name="times_positive"),
        Index("ix_fake_mail_last_at", "last_at"),
    )


# A consent record may change in one way: its words are emptied after its subscriber was erased.
_EMPTIED = (
    "new.id = old.id AND new.subscriber_id = old.subscriber_id AND new.event = old.event "
    "AND new.at = old.at AND new.method = old.method AND new.wording_version = old.wording_version "
    "AND new.source = '' AND new.wording = '' AND new.language = '' AND new.evidence = '' AND new.basis = '' "
    "AND EXISTS (SELECT 1 FROM subscriber WHERE id = old.subscriber_id AND status = 'erased')"
)
# And it goes in one way: with its subscriber, whose row is gone by then.
_ORPHANED = "NOT EXISTS (SELECT 1 FROM subscriber WHERE id = old.subscriber_id)"
# An activity record may change in one way: a text that quotes an erased person's address becomes the mask.
_MASKED = " AND ".join(
    [
        "new.id = old.id AND new.at = old.at",
        "coalesce(new.member_id, 0) = coalesce(old.member_id, 0)",
        *(
            f"(new.{name} = old.{name} OR new.{name} = '<…>')"
            for name in ("name", "act", "edition", "subject", "detail")
        ),
    ]
)
_ACTIVITY_STAYS = "records of who did what are only ever added to"


def _keep_on_sqlite(table: str, changes: str, deletions: str, refusal: str) -> None:
    for verb, allowed in (("UPDATE", changes), ("DELETE", deletions)):
        op.execute(
            f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
            f"WHEN NOT ({allowed}) BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


def _keep_on_postgresql(table: str, changes: str, deletions: str, refusal: str) -> None:
    op.execute(
        f"CREATE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' AND ({changes}) THEN RETURN new; END IF; "
        f"IF TG_OP = 'DELETE' AND ({deletions}) THEN RETURN old; END IF; "
        f"RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for name, event, each in (
        ("kept", "UPDATE OR DELETE", "ROW"),
        ("not_truncated", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION {table}_is_kept()"
        )

"""Each act in a sentence, as the log shows it; ``%(subject)s`` is what it was done to."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.activity.acts import Act
from mailer.i18n import gettext_noop

ACT_WORDS: Mapping[Act, str] = MappingProxyType(
    {
        Act.created_workspace: gettext_noop("Created the workspace"),
        Act.upgraded_database: gettext_noop("Updated the database"),
        Act.backed_up_database: gettext_noop("Copied the database to %(subject)s"),
        Act.invited_member: gettext_noop("Invited %(subject)s"),
        Act.joined_team: gettext_noop("Joined the team"),
        Act.changed_password: gettext_noop("Changed their password"),
        Act.changed_passkeys: gettext_noop("Changed their passkeys"),
        Act.forgot_account: gettext_noop("Took the account at the organisation away from theirs"),
        Act.changed_role: gettext_noop("Changed the role of %(subject)s"),
        Act.removed_member: gettext_noop("Removed %(subject)s from the team"),
        Act.exported_log: gettext_noop("Downloaded the log"),
        Act.created_edition: gettext_noop("Began the edition"),
        Act.wrote_text: gettext_noop("Wrote %(subject)s"),
        Act.imported_edition: gettext_noop("Made the edition from %(subject)s"),
        Act.changed_details: gettext_noop("Changed the details of the edition"),
        Act.added_story: gettext_noop("Added the story %(subject)s"),
        Act.moved_story: gettext_noop("Moved the story %(subject)s"),
        Act.removed_story: gettext_noop("Removed the story %(subject)s"),
        Act.restored_text: gettext_noop("Restored an earlier text of %(subject)s"),
        Act.restored_story: gettext_noop("Restored the story %(subject)s"),
        Act.sent_test: gettext_noop("Sent a test"),
        Act.approved_campaign: gettext_noop("Approved campaign %(subject)s"),
        Act.launched_campaign: gettext_noop("Launched campaign %(subject)s"),
        Act.scheduled_campaign: gettext_noop("Scheduled campaign %(subject)s"),
        Act.paused_campaign: gettext_noop("Paused campaign %(subject)s"),
        Act.resumed_campaign: gettext_noop("Resumed campaign %(subject)s"),
        Act.cancelled_campaign: gettext_noop("Cancelled campaign %(subject)s"),
        Act.resolved_doubts: gettext_noop("Settled doubts about campaign %(subject)s"),
        Act.archived_campaign: gettext_noop("Changed whether campaign %(subject)s is in the archive"),
        Act.mailed_report: gettext_noop("Mailed the report on campaign %(subject)s"),
        Act.exported_report: gettext_noop("Downloaded the report on campaign %(subject)s"),
        Act.added_subscriber: gettext_noop("Added %(subject)s to the list"),
        Act.edited_subscriber: gettext_noop("Changed the details of %(subject)s"),
        Act.paused_subscriber: gettext_noop("Changed the pause of %(subject)s"),
        Act.unsubscribed_subscriber: gettext_noop("Unsubscribed %(subject)s"),
        Act.suppressed_address: gettext_noop("Blocked %(subject)s"),
        Act.unsuppressed_address: gettext_noop("Let %(subject)s get mail again"),
        Act.exported_person: gettext_noop("Downloaded the data of %(subject)s"),
        Act.erased_person: gettext_noop("Erased a person"),
        Act.pruned_list: gettext_noop("Deleted what is past its retention period"),
        Act.imported_subscribers: gettext_noop("Imported subscribers from %(subject)s"),
        Act.rolled_back_import: gettext_noop("Undid import %(subject)s"),
        Act.exported_subscribers: gettext_noop("Downloaded subscribers"),
        Act.saved_segment: gettext_noop("Saved the segment %(subject)s"),
        Act.deleted_segment: gettext_noop("Deleted the segment %(subject)s"),
        Act.judged_feedback: gettext_noop("Judged messages that came back"),
        Act.accepted_successor: gettext_noop("Accepted proposed successor %(subject)s"),
        Act.refused_successor: gettext_noop("Refused proposed successor %(subject)s"),
        Act.rotated_keys: gettext_noop("Made a new key for links"),
        Act.retired_key: gettext_noop("Ended the links of key %(subject)s"),
        Act.signed_in_relay: gettext_noop("Signed in to %(subject)s"),
        Act.signed_out_relay: gettext_noop("Ended the sign-in to %(subject)s"),
        Act.ended_trial: gettext_noop("Ended trial mode"),
        Act.began_trial: gettext_noop("Began trial mode"),
    }
)
"""A test demands that every act has words."""

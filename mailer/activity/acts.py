"""What people do that is written down."""

from locales.phrase import WordedEnum, gettext_noop


class Act(WordedEnum):
    """Something that a person did. Its words are a sentence of the log, with ``%(subject)s`` for what it was
    done to."""

    created_workspace = ("created_workspace", gettext_noop("Created the workspace"))
    upgraded_database = ("upgraded_database", gettext_noop("Updated the database"))
    backed_up_database = ("backed_up_database", gettext_noop("Copied the database to %(subject)s"))
    invited_member = ("invited_member", gettext_noop("Invited %(subject)s"))
    joined_team = ("joined_team", gettext_noop("Joined the team"))
    changed_password = ("changed_password", gettext_noop("Changed their password"))
    changed_passkeys = ("changed_passkeys", gettext_noop("Changed their passkeys"))
    forgot_account = ("forgot_account", gettext_noop("Took the account at the organisation away from theirs"))
    changed_role = ("changed_role", gettext_noop("Changed the role of %(subject)s"))
    removed_member = ("removed_member", gettext_noop("Removed %(subject)s from the team"))
    ended_sessions = ("ended_sessions", gettext_noop("Signed %(subject)s out everywhere"))
    exported_log = ("exported_log", gettext_noop("Downloaded the log"))
    created_edition = ("created_edition", gettext_noop("Began the edition"))
    wrote_text = ("wrote_text", gettext_noop("Wrote %(subject)s"))
    imported_edition = ("imported_edition", gettext_noop("Made the edition from %(subject)s"))
    changed_details = ("changed_details", gettext_noop("Changed the details of the edition"))
    added_story = ("added_story", gettext_noop("Added the story %(subject)s"))
    moved_story = ("moved_story", gettext_noop("Moved the story %(subject)s"))
    removed_story = ("removed_story", gettext_noop("Removed the story %(subject)s"))
    restored_text = ("restored_text", gettext_noop("Restored an earlier text of %(subject)s"))
    restored_story = ("restored_story", gettext_noop("Restored the story %(subject)s"))
    confirmed_translation = ("confirmed_translation", gettext_noop("Marked %(subject)s as up to date"))
    imported_translations = ("imported_translations", gettext_noop("Put in translations from %(subject)s"))
    sent_test = ("sent_test", gettext_noop("Sent a test"))
    prepared_campaign = ("prepared_campaign", gettext_noop("Began to prepare campaign %(subject)s"))
    changed_campaign = ("changed_campaign", gettext_noop("Changed the plan of campaign %(subject)s"))
    approved_campaign = ("approved_campaign", gettext_noop("Approved campaign %(subject)s"))
    asked_launch = ("asked_launch", gettext_noop("Asked to launch campaign %(subject)s"))
    undid_launch = ("undid_launch", gettext_noop("Undid the launch of campaign %(subject)s"))
    asked_for_approval = (
        "asked_for_approval",
        gettext_noop("Asked for the approval of campaign %(subject)s"),
    )
    withdrew_request = (
        "withdrew_request",
        gettext_noop("Took back the request to approve campaign %(subject)s"),
    )
    changed_approval_steps = (
        "changed_approval_steps",
        gettext_noop("Chose who approves campaign %(subject)s"),
    )
    requested_changes = ("requested_changes", gettext_noop("Asked for changes to campaign %(subject)s"))
    commented_on_answer = (
        "commented_on_answer",
        gettext_noop("Commented on an answer about campaign %(subject)s"),
    )
    launched_campaign = ("launched_campaign", gettext_noop("Launched campaign %(subject)s"))
    scheduled_campaign = ("scheduled_campaign", gettext_noop("Scheduled campaign %(subject)s"))
    rescheduled_campaign = ("rescheduled_campaign", gettext_noop("Changed when campaign %(subject)s starts"))
    paused_campaign = ("paused_campaign", gettext_noop("Paused campaign %(subject)s"))
    resumed_campaign = ("resumed_campaign", gettext_noop("Resumed campaign %(subject)s"))
    cancelled_campaign = ("cancelled_campaign", gettext_noop("Cancelled campaign %(subject)s"))
    resolved_doubts = ("resolved_doubts", gettext_noop("Settled doubts about campaign %(subject)s"))
    archived_campaign = (
        "archived_campaign",
        gettext_noop("Changed whether campaign %(subject)s is in the archive"),
    )
    mailed_report = ("mailed_report", gettext_noop("Mailed the report on campaign %(subject)s"))
    wrote_correction = ("wrote_correction", gettext_noop("Wrote a correction of %(subject)s"))
    discarded_correction = ("discarded_correction", gettext_noop("Threw a correction of %(subject)s away"))
    prepared_correction = (
        "prepared_correction",
        gettext_noop("Began to prepare a correction of %(subject)s"),
    )
    asked_doctor = ("asked_doctor", gettext_noop("Had the doctor look"))
    exported_report = ("exported_report", gettext_noop("Downloaded the report on campaign %(subject)s"))
    added_subscriber = ("added_subscriber", gettext_noop("Added %(subject)s to the list"))
    edited_subscriber = ("edited_subscriber", gettext_noop("Changed the details of %(subject)s"))
    paused_subscriber = ("paused_subscriber", gettext_noop("Changed the pause of %(subject)s"))
    unsubscribed_subscriber = ("unsubscribed_subscriber", gettext_noop("Unsubscribed %(subject)s"))
    merged_subscribers = ("merged_subscribers", gettext_noop("Merged another address into %(subject)s"))
    suppressed_address = ("suppressed_address", gettext_noop("Blocked %(subject)s"))
    unsuppressed_address = ("unsuppressed_address", gettext_noop("Let %(subject)s get mail again"))
    exported_person = ("exported_person", gettext_noop("Downloaded the data of %(subject)s"))
    erased_person = ("erased_person", gettext_noop("Erased a person"))
    pruned_list = ("pruned_list", gettext_noop("Deleted what is past its retention period"))
    imported_subscribers = ("imported_subscribers", gettext_noop("Imported subscribers from %(subject)s"))
    admitted_sign_up = ("admitted_sign_up", gettext_noop("Admitted %(subject)s, who had signed up"))
    declined_sign_up = ("declined_sign_up", gettext_noop("Declined the sign-up of %(subject)s"))
    discarded_import_file = (
        "discarded_import_file",
        gettext_noop("Discarded the file %(subject)s without importing it"),
    )
    rolled_back_import = ("rolled_back_import", gettext_noop("Undid import %(subject)s"))
    exported_subscribers = ("exported_subscribers", gettext_noop("Downloaded subscribers"))
    saved_segment = ("saved_segment", gettext_noop("Saved the segment %(subject)s"))
    renamed_segment = ("renamed_segment", gettext_noop("Renamed the segment %(subject)s"))
    deleted_segment = ("deleted_segment", gettext_noop("Deleted the segment %(subject)s"))
    judged_feedback = ("judged_feedback", gettext_noop("Judged messages that came back"))
    accepted_successor = ("accepted_successor", gettext_noop("Accepted proposed successor %(subject)s"))
    refused_successor = ("refused_successor", gettext_noop("Refused proposed successor %(subject)s"))
    changed_settings = ("changed_settings", gettext_noop("Changed the settings %(subject)s"))
    changed_secret = ("changed_secret", gettext_noop("Changed the password of %(subject)s"))
    tried_relay = ("tried_relay", gettext_noop("Tried the relay %(subject)s"))
    rotated_keys = ("rotated_keys", gettext_noop("Made a new key for links"))
    retired_key = ("retired_key", gettext_noop("Ended the links of key %(subject)s"))
    signed_in_relay = ("signed_in_relay", gettext_noop("Signed in to %(subject)s"))
    signed_out_relay = ("signed_out_relay", gettext_noop("Ended the sign-in to %(subject)s"))
    ended_trial = ("ended_trial", gettext_noop("Ended trial mode"))
    began_trial = ("began_trial", gettext_noop("Began trial mode"))
    commented = ("commented", gettext_noop("Commented on %(subject)s"))
    deleted_comment = ("deleted_comment", gettext_noop("Deleted a comment on %(subject)s"))
    resolved_comment = ("resolved_comment", gettext_noop("Resolved a comment on %(subject)s"))
    reopened_comment = ("reopened_comment", gettext_noop("Reopened a comment on %(subject)s"))

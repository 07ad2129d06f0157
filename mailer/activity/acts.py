"""What people do that is written down."""

from enum import StrEnum


class Act(StrEnum):
    """Something that a person did. :data:`~mailer.activity.words.ACT_WORDS` says it in a sentence."""

    created_workspace = "created_workspace"
    """They created the workspace."""

    upgraded_database = "upgraded_database"
    """They brought the database's tables up to date."""

    backed_up_database = "backed_up_database"
    """They copied the database to a file."""

    invited_member = "invited_member"
    """They invited a person to the team."""

    joined_team = "joined_team"
    """They followed their invitation, or made the first account."""

    changed_password = "changed_password"  # noqa: S105 - the name of the act
    """They chose, changed or removed their password."""

    changed_passkeys = "changed_passkeys"
    """They added or removed a passkey."""

    forgot_account = "forgot_account"
    """They took the account at the organisation away from theirs."""

    changed_role = "changed_role"
    """They gave a member another role."""

    removed_member = "removed_member"
    """They removed a member from the team."""

    ended_sessions = "ended_sessions"
    """They signed a member out everywhere."""

    exported_log = "exported_log"
    """They took this log away as a file."""

    created_edition = "created_edition"
    """They began an edition."""

    wrote_text = "wrote_text"
    """They wrote a story, the letter or a translation: one line for each sitting."""

    imported_edition = "imported_edition"
    """They made an edition of a document or a feed."""

    changed_details = "changed_details"
    """They changed the details of an edition: its title, its subject and the like."""

    added_story = "added_story"
    """They added a story to an edition."""

    moved_story = "moved_story"
    """They moved a story to another place of its edition."""

    removed_story = "removed_story"
    """They removed a story from an edition."""

    restored_text = "restored_text"
    """They brought an earlier text back."""

    restored_story = "restored_story"
    """They brought a removed story back."""

    confirmed_translation = "confirmed_translation"
    """They said that a translation is up to date."""

    imported_translations = "imported_translations"
    """They put translations from a file into an edition."""

    sent_test = "sent_test"
    """They sent a test of an edition to colleagues."""

    prepared_campaign = "prepared_campaign"
    """They began to prepare a campaign."""

    changed_campaign = "changed_campaign"
    """They decided something else about a campaign that is being prepared."""

    approved_campaign = "approved_campaign"
    """They approved an edition for a segment."""

    asked_launch = "asked_launch"
    """They asked for a launch that another person has to confirm."""

    undid_launch = "undid_launch"
    """They undid a launch before it began."""

    asked_for_approval = "asked_for_approval"
    """They asked for the approval of a campaign."""

    withdrew_request = "withdrew_request"
    """They took back that an approval was asked for."""

    changed_approval_steps = "changed_approval_steps"
    """They chose who is asked for the approval of a campaign."""

    requested_changes = "requested_changes"
    """They asked for changes instead of approving a campaign."""

    commented_on_answer = "commented_on_answer"
    """They commented on an answer to an approval."""

    launched_campaign = "launched_campaign"
    """They launched a campaign, or continued one that was launched before."""

    scheduled_campaign = "scheduled_campaign"
    """They fixed a time at which a campaign starts."""

    rescheduled_campaign = "rescheduled_campaign"
    """They let a scheduled campaign start at another time."""

    paused_campaign = "paused_campaign"
    """They paused a campaign."""

    resumed_campaign = "resumed_campaign"
    """They let a campaign go on."""

    cancelled_campaign = "cancelled_campaign"
    """They cancelled a campaign."""

    resolved_doubts = "resolved_doubts"
    """They settled deliveries that were in doubt."""

    archived_campaign = "archived_campaign"
    """They put a campaign's edition into the public archive, or took it out."""

    mailed_report = "mailed_report"
    """They mailed the report on a campaign."""

    wrote_correction = "wrote_correction"
    """They wrote a correction of a story."""

    discarded_correction = "discarded_correction"
    """They threw away a correction that was not sent."""

    prepared_correction = "prepared_correction"
    """They made a campaign of a correction."""

    asked_doctor = "asked_doctor"
    """They had the doctor look at the workspace."""

    exported_report = "exported_report"
    """They wrote a campaign's report, or its deliveries, to a file."""

    added_subscriber = "added_subscriber"
    """They added a person to the list."""

    edited_subscriber = "edited_subscriber"
    """They changed what the list says of a person."""

    paused_subscriber = "paused_subscriber"
    """They paused mail to a person, or ended the pause."""

    unsubscribed_subscriber = "unsubscribed_subscriber"
    """They unsubscribed a person who had asked for it."""

    merged_subscribers = "merged_subscribers"
    """They merged two people on the list into one."""

    suppressed_address = "suppressed_address"
    """They blocked an address."""

    unsuppressed_address = "unsuppressed_address"
    """They let an address get mail again."""

    exported_person = "exported_person"
    """They took away all data about a person, to give it to them."""

    erased_person = "erased_person"
    """They erased a person."""

    pruned_list = "pruned_list"
    """They deleted what is past its retention period."""

    imported_subscribers = "imported_subscribers"
    """They imported subscribers from a file."""

    admitted_sign_up = "admitted_sign_up"
    """They put a person on the list who had signed up."""

    declined_sign_up = "declined_sign_up"
    """They declined a person who had signed up."""

    discarded_import_file = "discarded_import_file"
    """They deleted a file that waited to be imported."""

    rolled_back_import = "rolled_back_import"
    """They undid an import."""

    exported_subscribers = "exported_subscribers"
    """They took subscribers away as a file."""

    saved_segment = "saved_segment"
    """They saved a segment under a name."""

    renamed_segment = "renamed_segment"
    """They gave a saved segment another name."""

    deleted_segment = "deleted_segment"
    """They deleted a saved segment."""

    judged_feedback = "judged_feedback"
    """They judged messages that had come back."""

    accepted_successor = "accepted_successor"
    """They took a successor onto the list."""

    refused_successor = "refused_successor"
    """They refused a proposed successor."""

    changed_settings = "changed_settings"
    """They changed settings: the line names the keys, never a value."""

    changed_secret = "changed_secret"  # noqa: S105 - the name of the act
    """They put in, replaced or removed a password of the settings."""

    tried_relay = "tried_relay"
    """They had a relay tried, or a test mail sent over it."""

    rotated_keys = "rotated_keys"
    """They made a new key to sign links."""

    retired_key = "retired_key"
    """They ended the links that an older key had signed."""

    signed_in_relay = "signed_in_relay"
    """They signed in to a relay or the mailbox."""

    signed_out_relay = "signed_out_relay"
    """They ended the sign-in to a relay or the mailbox."""

    ended_trial = "ended_trial"
    """They ended trial mode."""

    began_trial = "began_trial"
    """They began trial mode."""

    commented = "commented"
    """They commented on a story, or replied to a comment."""

    deleted_comment = "deleted_comment"
    """They deleted a comment of theirs."""

    resolved_comment = "resolved_comment"
    """They said that what a comment is about is done."""

    reopened_comment = "reopened_comment"
    """They said that what a comment is about is not done after all."""

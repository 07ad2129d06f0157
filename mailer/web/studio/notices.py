"""What a page says after an act: named in its address, so that reloading repeats no act."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from mailer.i18n import gettext_noop


class Notice(StrEnum):
    """An act that the page before has done."""

    campaign_paused = "campaign-paused"
    """A campaign was paused."""

    campaign_resumed = "campaign-resumed"
    """A campaign goes on."""

    campaign_cancelled = "campaign-cancelled"
    """A campaign was cancelled."""

    campaign_changed = "campaign-changed"
    """The campaign's state no longer allowed the act."""

    launch_undone = "launch-undone"
    """A launch was undone in time."""

    launch_begun = "launch-begun"
    """A launch was undone too late."""

    launch_confirmed = "launch-confirmed"
    """A second person confirmed a launch."""

    doubts_settled = "doubts-settled"
    """Deliveries in doubt were settled."""

    doubts_requeued = "doubts-requeued"
    """Deliveries in doubt are sent again."""

    doubts_gone = "doubts-gone"
    """The deliveries were not in doubt any more."""

    trial_ended = "trial-ended"
    """Trial mode was ended."""

    trial_begun = "trial-begun"
    """Trial mode was begun."""

    commented = "commented"
    """A comment was written."""

    comment_changed = "comment-changed"
    """A comment was changed."""

    comment_deleted = "comment-deleted"
    """A comment was deleted."""

    comment_resolved = "comment-resolved"
    """What a comment is about is done."""

    comment_reopened = "comment-reopened"
    """What a comment is about is not done after all."""

    comment_gone = "comment-gone"
    """The comment had been deleted."""

    picture_saved = "picture-saved"
    """A picture of a story was chosen, described or cropped."""

    picture_removed = "picture-removed"
    """A story has a picture less."""

    details_saved = "details-saved"
    """The details of an edition were changed."""

    story_removed = "story-removed"
    """A story was removed."""

    story_restored = "story-restored"
    """A removed story was brought back."""

    text_restored = "text-restored"
    """An earlier text was brought back."""

    text_set_aside = "text-set-aside"
    """What could not be saved is in the history alone."""

    conflict_settled = "conflict-settled"
    """Two texts were put together."""

    account_saved = "account-saved"
    """The member's name or language was changed."""

    password_changed = "password-changed"  # noqa: S105 - the name of the notice
    """The member has a new password."""

    password_removed = "password-removed"  # noqa: S105 - the name of the notice
    """The member has no password any more."""

    passkey_added = "passkey-added"
    """The member has one passkey more."""

    passkey_renamed = "passkey-renamed"
    """A passkey of the member has another name."""

    passkey_removed = "passkey-removed"
    """The member has one passkey less."""

    account_forgotten = "account-forgotten"
    """The member's account at the organisation is forgotten."""

    session_ended = "session-ended"
    """A session of the member has ended."""

    other_sessions_ended = "other-sessions-ended"
    """All sessions of the member but this one have ended."""

    translation_saved = "translation-saved"
    """A translation was saved."""

    translation_adjusted = "translation-adjusted"
    """A translation was saved, with emphasis moved a little so that Markdown can say it."""

    translation_confirmed = "translation-confirmed"
    """A translation was saved, and somebody said that it is up to date."""

    translations_imported = "translations-imported"
    """Translations that came back in a file were saved."""

    original_changed = "original-changed"
    """A translation was saved, but the original is not what the translator saw."""

    approval_asked = "approval-asked"
    """An approval was asked for."""

    approval_withdrawn = "approval-withdrawn"
    """A request for an approval was taken back."""

    approval_given = "approval-given"
    """Somebody approved, and others still have to."""

    approval_complete = "approval-complete"
    """Somebody approved, and nobody else has to."""

    changes_requested = "changes-requested"
    """Somebody asked for changes instead of approving."""

    approval_steps_changed = "approval-steps-changed"
    """Who approves a campaign was changed."""

    signed_out = "signed-out"
    """The visitor signed out."""

    saved = "saved"
    """A text was saved."""

    saved_adjusted = "saved-adjusted"
    """A text was saved, with emphasis moved a little."""

    settings_saved = "settings-saved"
    """Settings were changed, and are in use."""

    settings_unchanged = "settings-unchanged"
    """A form of settings was sent as it was."""
    partner_added = "partner-added"
    """A partner was added to the list."""

    partner_saved = "partner-saved"
    """The details of a partner were changed."""

    partner_paused = "partner-paused"
    """A partner's mail was paused."""

    partner_resumed = "partner-resumed"
    """A partner's pause was ended."""

    partner_unsubscribed = "partner-unsubscribed"
    """A partner was unsubscribed."""

    partner_blocked = "partner-blocked"
    """A partner's address was blocked."""

    partner_unblocked = "partner-unblocked"
    """The block of a partner's address was lifted."""

    partners_merged = "partners-merged"
    """Two addresses of one partner were merged."""

    partner_erased = "partner-erased"
    """A partner was erased."""

    nothing_changed = "nothing-changed"
    """Everything was as it was to be."""

    relay_removed = "relay-removed"
    """A relay was taken out."""

    secret_kept = "secret-kept"  # noqa: S105 - the name of the notice
    """A password or another secret was put in or replaced."""

    secret_removed = "secret-removed"  # noqa: S105 - the name of the notice
    """A password or another secret was removed."""

    signed_in_relay = "signed-in-relay"
    """Somebody has signed in to a relay or the mailbox."""

    signed_out_relay = "signed-out-relay"
    """The sign-in to a relay or the mailbox has ended."""

    campaign_begun = "campaign-begun"
    """A campaign is being prepared."""

    decisions_saved = "decisions-saved"
    """Something was decided about a campaign."""

    preparation_over = "preparation-over"
    """Nothing can be decided about the campaign any more."""

    test_sent = "test-sent"
    """A test was sent to colleagues."""

    version_changed = "version-changed"
    """A version of a mail has changed since the member looked at it."""

    versions_seen = "versions-seen"
    """The member has looked at all versions of a mail."""

    campaign_discarded = "campaign-discarded"
    """A campaign was cancelled before anybody got it."""

    campaign_started = "campaign-started"
    """A campaign had started already, and was not discarded."""

    archived = "archived"
    """An edition is in the public archive."""

    unarchived = "unarchived"
    """An edition is not in the public archive."""

    invited = "invited"
    """A person was invited to the team."""

    invited_again = "invited-again"
    """An invitation was mailed again."""

    role_changed = "role-changed"
    """A member has another role."""

    member_removed = "member-removed"
    """A member was removed from the team."""

    segment_saved = "segment-saved"
    """A segment was saved."""

    segment_renamed = "segment-renamed"
    """A segment has another name."""

    segment_deleted = "segment-deleted"
    """A saved segment was deleted."""

    sessions_ended = "sessions-ended"
    """A member was signed out everywhere."""

    import_undone = "import-undone"
    """An import was undone."""

    import_file_discarded = "import-file-discarded"
    """A file that waited to be imported is deleted."""

    sign_ups_admitted = "sign-ups-admitted"
    """People who had signed up are on the list."""

    sign_ups_declined = "sign-ups-declined"
    """People who had signed up were declined."""
    correction_saved = "correction-saved"
    """A correction was written."""

    correction_discarded = "correction-discarded"
    """A correction was thrown away."""

    correction_prepared = "correction-prepared"
    """A correction is a campaign now."""

    message_judged = "message-judged"
    """A message that came back was judged."""
    successor_added = "successor-added"
    """A proposed successor is on the list."""
    successor_refused = "successor-refused"
    """A proposed successor was refused."""
    successor_decided = "successor-decided"
    """Somebody else had decided about a proposed successor."""


NOTICES: Mapping[Notice, str] = MappingProxyType(
    {
        Notice.campaign_paused: gettext_noop(
            "The campaign is paused. What is being sent at this moment is finished; nothing more is begun."
        ),
        Notice.campaign_resumed: gettext_noop("The campaign goes on."),
        Notice.campaign_cancelled: gettext_noop("The campaign is cancelled. Nothing more is sent."),
        Notice.campaign_changed: gettext_noop(
            "Nothing was changed: the campaign is no longer what it was when you opened the page."
        ),
        Notice.launch_undone: gettext_noop("The launch is undone. Nothing was sent."),
        Notice.launch_begun: gettext_noop(
            "It is too late to undo the launch: the campaign has begun. If it must stop, pause it."
        ),
        Notice.launch_confirmed: gettext_noop("You have confirmed the launch."),
        Notice.doubts_settled: gettext_noop("They count as having got it now."),
        Notice.doubts_requeued: gettext_noop(
            "They get it again. The message is the same, so that mail programs can tell a second copy."
        ),
        Notice.doubts_gone: gettext_noop("Nothing was changed: they were no longer in doubt."),
        Notice.trial_ended: gettext_noop("Trial mode has ended. Campaigns go to everybody they are for."),
        Notice.trial_begun: gettext_noop("Trial mode is on. Campaigns go to test readers alone."),
        Notice.commented: gettext_noop("Your comment is there."),
        Notice.comment_changed: gettext_noop("Your comment is changed."),
        Notice.comment_deleted: gettext_noop("Your comment is deleted."),
        Notice.comment_resolved: gettext_noop("The comment is resolved."),
        Notice.comment_reopened: gettext_noop("The comment is open again."),
        Notice.comment_gone: gettext_noop("The comment had been deleted in the meantime."),
        Notice.picture_saved: gettext_noop("The picture is saved."),
        Notice.picture_removed: gettext_noop("The picture is no longer in the story."),
        Notice.details_saved: gettext_noop("The details are saved."),
        Notice.story_removed: gettext_noop("The story is removed. Its history has it, and brings it back."),
        Notice.story_restored: gettext_noop("The story is back."),
        Notice.text_restored: gettext_noop("The text is restored. What was there before is in the history."),
        Notice.text_set_aside: gettext_noop("The text is set aside. It stays in the history."),
        Notice.conflict_settled: gettext_noop("Both texts are put together and saved."),
        Notice.account_saved: gettext_noop("Your account is saved."),
        Notice.password_changed: gettext_noop(
            "Your password is saved, and you are signed out in all other browsers."
        ),
        Notice.password_removed: gettext_noop(
            "Your password is removed, and you are signed out in all other browsers."
        ),
        Notice.passkey_added: gettext_noop(
            "Your passkey is added, and you are signed out in all other browsers."
        ),
        Notice.passkey_renamed: gettext_noop("The passkey has its new name."),
        Notice.passkey_removed: gettext_noop(
            "The passkey is removed, and you are signed out in all other browsers."
        ),
        Notice.account_forgotten: gettext_noop(
            "Your account at the organisation is forgotten, and you are signed out in all other browsers."
        ),
        Notice.session_ended: gettext_noop("That session has ended."),
        Notice.other_sessions_ended: gettext_noop("All your other sessions have ended."),
        Notice.translation_saved: gettext_noop("The translation is saved."),
        Notice.translation_adjusted: gettext_noop(
            "The translation is saved. Bold or italic beside a space or a punctuation mark was moved a "
            "little."
        ),
        Notice.translation_confirmed: gettext_noop("The translation is saved, and is up to date."),
        Notice.translations_imported: gettext_noop("The translations are saved."),
        Notice.original_changed: gettext_noop(
            "The translation is saved. It is not marked as up to date, because the original was changed "
            "while you translated. Look at what has changed."
        ),
        Notice.approval_asked: gettext_noop(
            "The approval is asked for. Those who are asked now get an email."
        ),
        Notice.approval_withdrawn: gettext_noop("The request is taken back. Nobody is asked any more."),
        Notice.approval_given: gettext_noop("Your approval is written down. Others still have to answer."),
        Notice.approval_complete: gettext_noop("It is approved, and can be launched exactly as it is."),
        Notice.changes_requested: gettext_noop("What you ask for is written down. Whoever asked is told."),
        Notice.approval_steps_changed: gettext_noop("The steps are changed. Who is asked now gets an email."),
        Notice.signed_out: gettext_noop("You have signed out."),
        Notice.saved: gettext_noop("Saved."),
        Notice.saved_adjusted: gettext_noop(
            "Saved. Bold or italic that ended beside a space or a punctuation mark was moved a little."
        ),
        Notice.settings_saved: gettext_noop("The settings are saved and in use."),
        Notice.settings_unchanged: gettext_noop("Nothing was changed."),
        Notice.relay_removed: gettext_noop("The relay is taken out."),
        Notice.secret_kept: gettext_noop("It is kept, and in use."),
        Notice.secret_removed: gettext_noop("It is removed."),
        Notice.signed_in_relay: gettext_noop("Signed in. From now on, it is renewed by itself."),
        Notice.signed_out_relay: gettext_noop("The sign-in has ended."),
        Notice.partner_added: gettext_noop("They are on the list, and get the next edition."),
        Notice.partner_saved: gettext_noop("The details are saved."),
        Notice.partner_paused: gettext_noop("Their mail is paused. It goes on by itself on that day."),
        Notice.partner_resumed: gettext_noop("The pause has ended: they get mail again."),
        Notice.partner_unsubscribed: gettext_noop("They are unsubscribed and get no more mail."),
        Notice.partner_blocked: gettext_noop("The address is blocked. Nothing is sent to it any more."),
        Notice.partner_unblocked: gettext_noop(
            "The block is lifted. They get no mail until they come back themselves."
        ),
        Notice.partners_merged: gettext_noop("The two are one partner now."),
        Notice.partner_erased: gettext_noop("They are erased."),
        Notice.nothing_changed: gettext_noop("Nothing had to be changed."),
        Notice.campaign_begun: gettext_noop(
            "The campaign is begun. Nothing is sent until somebody launches it."
        ),
        Notice.decisions_saved: gettext_noop("Your choice is saved."),
        Notice.preparation_over: gettext_noop(
            "This campaign is no longer being prepared, so nothing was changed."
        ),
        Notice.test_sent: gettext_noop("The test is sent."),
        Notice.version_changed: gettext_noop("This version has changed meanwhile. Here is what it is now."),
        Notice.versions_seen: gettext_noop("You have looked at every version."),
        Notice.campaign_discarded: gettext_noop("The campaign is discarded. Nobody got anything of it."),
        Notice.campaign_started: gettext_noop(
            "The campaign has started meanwhile, so it was not discarded. You can pause or cancel it."
        ),
        Notice.archived: gettext_noop("The edition is in the public archive."),
        Notice.unarchived: gettext_noop("The edition is no longer in the public archive."),
        Notice.invited: gettext_noop("The invitation is on its way. Its link works for a week."),
        Notice.invited_again: gettext_noop(
            "A new invitation is on its way. The link in the one before no longer works."
        ),
        Notice.role_changed: gettext_noop("The role is changed. They have to sign in again."),
        Notice.member_removed: gettext_noop(
            "They no longer belong to the team and are signed out. What they did stays in the history."
        ),
        Notice.segment_saved: gettext_noop("The segment is saved."),
        Notice.segment_renamed: gettext_noop("The segment has its new name."),
        Notice.segment_deleted: gettext_noop("The segment is deleted."),
        Notice.sessions_ended: gettext_noop("They are signed out everywhere else."),
        Notice.import_undone: gettext_noop("The import is undone."),
        Notice.import_file_discarded: gettext_noop("The file is deleted. Nothing of it was imported."),
        Notice.sign_ups_admitted: gettext_noop("They are admitted, and get the next newsletter."),
        Notice.sign_ups_declined: gettext_noop("They are declined, and get no mail."),
        Notice.correction_saved: gettext_noop("The correction is saved. Nothing is sent yet."),
        Notice.correction_discarded: gettext_noop("The correction is thrown away."),
        Notice.correction_prepared: gettext_noop(
            "The correction is a campaign now, to be tested, approved and launched like the others."
        ),
        Notice.message_judged: gettext_noop("The message is judged, and what follows from it is done."),
        Notice.successor_added: gettext_noop("They are on the list and get the next mail."),
        Notice.successor_refused: gettext_noop("They are not added, and not proposed again."),
        Notice.successor_decided: gettext_noop("This was decided before. Nothing was changed."),
    }
)
"""What is said about each; a test demands that all have words."""


def find_notice(name: str) -> str:
    """The words for the notice called ``name``; empty if there is none."""
    return NOTICES[Notice(name)] if name in list(Notice) else ""

"""What a page says after an act: named in its address, so that reloading repeats no act."""

from locales.phrase import WordedEnum, gettext_noop


class Notice(WordedEnum):
    """An act that the page before has done."""

    campaign_paused = (
        "campaign-paused",
        gettext_noop(
            "The campaign is paused. What is being sent at this moment is finished; nothing more is begun."
        ),
    )
    campaign_resumed = ("campaign-resumed", gettext_noop("The campaign goes on."))
    campaign_cancelled = (
        "campaign-cancelled",
        gettext_noop("The campaign is cancelled. Nothing more is sent."),
    )
    campaign_changed = (
        "campaign-changed",
        gettext_noop("Nothing was changed: the campaign is no longer what it was when you opened the page."),
    )
    launch_undone = ("launch-undone", gettext_noop("The launch is undone. Nothing was sent."))
    launch_begun = (
        "launch-begun",
        gettext_noop("It is too late to undo the launch: the campaign has begun. If it must stop, pause it."),
    )
    launch_confirmed = ("launch-confirmed", gettext_noop("You have confirmed the launch."))
    doubts_settled = ("doubts-settled", gettext_noop("They count as having got it now."))
    doubts_requeued = (
        "doubts-requeued",
        gettext_noop(
            "They get it again. The message is the same, so that mail programs can tell a second copy."
        ),
    )
    doubts_gone = ("doubts-gone", gettext_noop("Nothing was changed: they were no longer in doubt."))
    trial_ended = (
        "trial-ended",
        gettext_noop("Trial mode has ended. Campaigns go to everybody they are for."),
    )
    trial_begun = ("trial-begun", gettext_noop("Trial mode is on. Campaigns go to test readers alone."))
    commented = ("commented", gettext_noop("Your comment is there."))
    comment_changed = ("comment-changed", gettext_noop("Your comment is changed."))
    comment_deleted = ("comment-deleted", gettext_noop("Your comment is deleted."))
    comment_resolved = ("comment-resolved", gettext_noop("The comment is resolved."))
    comment_reopened = ("comment-reopened", gettext_noop("The comment is open again."))
    comment_gone = ("comment-gone", gettext_noop("The comment had been deleted in the meantime."))
    picture_saved = ("picture-saved", gettext_noop("The picture is saved."))
    picture_removed = ("picture-removed", gettext_noop("The picture is no longer in the story."))
    details_saved = ("details-saved", gettext_noop("The details are saved."))
    story_removed = (
        "story-removed",
        gettext_noop("The story is removed. Its history has it, and brings it back."),
    )
    story_restored = ("story-restored", gettext_noop("The story is back."))
    text_restored = (
        "text-restored",
        gettext_noop("The text is restored. What was there before is in the history."),
    )
    text_set_aside = ("text-set-aside", gettext_noop("The text is set aside. It stays in the history."))
    conflict_settled = ("conflict-settled", gettext_noop("Both texts are put together and saved."))
    account_saved = ("account-saved", gettext_noop("Your account is saved."))
    password_changed = (
        "password-changed",
        gettext_noop("Your password is saved, and you are signed out in all other browsers."),
    )
    password_removed = (
        "password-removed",
        gettext_noop("Your password is removed, and you are signed out in all other browsers."),
    )
    passkey_added = (
        "passkey-added",
        gettext_noop("Your passkey is added, and you are signed out in all other browsers."),
    )
    passkey_renamed = ("passkey-renamed", gettext_noop("The passkey has its new name."))
    passkey_removed = (
        "passkey-removed",
        gettext_noop("The passkey is removed, and you are signed out in all other browsers."),
    )
    account_forgotten = (
        "account-forgotten",
        gettext_noop(
            "Your account at the organisation is forgotten, and you are signed out in all other browsers."
        ),
    )
    session_ended = ("session-ended", gettext_noop("That session has ended."))
    other_sessions_ended = ("other-sessions-ended", gettext_noop("All your other sessions have ended."))
    translation_saved = ("translation-saved", gettext_noop("The translation is saved."))
    translation_adjusted = (
        "translation-adjusted",
        gettext_noop(
            "The translation is saved. Bold or italic beside a space or a punctuation mark was moved a "
            "little."
        ),
    )
    translation_confirmed = (
        "translation-confirmed",
        gettext_noop("The translation is saved, and is up to date."),
    )
    translations_imported = ("translations-imported", gettext_noop("The translations are saved."))
    original_changed = (
        "original-changed",
        gettext_noop(
            "The translation is saved. It is not marked as up to date, because the original was changed "
            "while you translated. Look at what has changed."
        ),
    )
    approval_asked = (
        "approval-asked",
        gettext_noop("The approval is asked for. Those who are asked now get an email."),
    )
    approval_withdrawn = (
        "approval-withdrawn",
        gettext_noop("The request is taken back. Nobody is asked any more."),
    )
    approval_given = (
        "approval-given",
        gettext_noop("Your approval is written down. Others still have to answer."),
    )
    approval_complete = (
        "approval-complete",
        gettext_noop("It is approved, and can be launched exactly as it is."),
    )
    changes_requested = (
        "changes-requested",
        gettext_noop("What you ask for is written down. Whoever asked is told."),
    )
    approval_steps_changed = (
        "approval-steps-changed",
        gettext_noop("The steps are changed. Who is asked now gets an email."),
    )
    signed_out = ("signed-out", gettext_noop("You have signed out."))
    saved = ("saved", gettext_noop("Saved."))
    saved_adjusted = (
        "saved-adjusted",
        gettext_noop(
            "Saved. Bold or italic that ended beside a space or a punctuation mark was moved a little."
        ),
    )
    settings_saved = ("settings-saved", gettext_noop("The settings are saved and in use."))
    settings_unchanged = ("settings-unchanged", gettext_noop("Nothing was changed."))
    partner_added = ("partner-added", gettext_noop("They are on the list, and get the next edition."))
    partner_saved = ("partner-saved", gettext_noop("The details are saved."))
    partner_paused = (
        "partner-paused",
        gettext_noop("Their mail is paused. It goes on by itself on that day."),
    )
    partner_resumed = ("partner-resumed", gettext_noop("The pause has ended: they get mail again."))
    partner_unsubscribed = (
        "partner-unsubscribed",
        gettext_noop("They are unsubscribed and get no more mail."),
    )
    partner_blocked = (
        "partner-blocked",
        gettext_noop("The address is blocked. Nothing is sent to it any more."),
    )
    partner_unblocked = (
        "partner-unblocked",
        gettext_noop("The block is lifted. They get no mail until they come back themselves."),
    )
    partners_merged = ("partners-merged", gettext_noop("The two are one partner now."))
    partner_erased = ("partner-erased", gettext_noop("They are erased."))
    nothing_changed = ("nothing-changed", gettext_noop("Nothing had to be changed."))
    relay_removed = ("relay-removed", gettext_noop("The relay is taken out."))
    secret_kept = ("secret-kept", gettext_noop("It is kept, and in use."))
    secret_removed = ("secret-removed", gettext_noop("It is removed."))
    signed_in_relay = ("signed-in-relay", gettext_noop("Signed in. From now on, it is renewed by itself."))
    signed_out_relay = ("signed-out-relay", gettext_noop("The sign-in has ended."))
    campaign_begun = (
        "campaign-begun",
        gettext_noop("The campaign is begun. Nothing is sent until somebody launches it."),
    )
    decisions_saved = ("decisions-saved", gettext_noop("Your choice is saved."))
    preparation_over = (
        "preparation-over",
        gettext_noop("This campaign is no longer being prepared, so nothing was changed."),
    )
    test_sent = ("test-sent", gettext_noop("The test is sent."))
    version_changed = (
        "version-changed",
        gettext_noop("This version has changed meanwhile. Here is what it is now."),
    )
    versions_seen = ("versions-seen", gettext_noop("You have looked at every version."))
    campaign_discarded = (
        "campaign-discarded",
        gettext_noop("The campaign is discarded. Nobody got anything of it."),
    )
    campaign_started = (
        "campaign-started",
        gettext_noop(
            "The campaign has started meanwhile, so it was not discarded. You can pause or cancel it."
        ),
    )
    archived = ("archived", gettext_noop("The edition is in the public archive."))
    unarchived = ("unarchived", gettext_noop("The edition is no longer in the public archive."))
    invited = ("invited", gettext_noop("The invitation is on its way. Its link works for a week."))
    invited_again = (
        "invited-again",
        gettext_noop("A new invitation is on its way. The link in the one before no longer works."),
    )
    role_changed = ("role-changed", gettext_noop("The role is changed. They have to sign in again."))
    member_removed = (
        "member-removed",
        gettext_noop(
            "They no longer belong to the team and are signed out. What they did stays in the history."
        ),
    )
    segment_saved = ("segment-saved", gettext_noop("The segment is saved."))
    segment_renamed = ("segment-renamed", gettext_noop("The segment has its new name."))
    segment_deleted = ("segment-deleted", gettext_noop("The segment is deleted."))
    sessions_ended = ("sessions-ended", gettext_noop("They are signed out everywhere else."))
    import_undone = ("import-undone", gettext_noop("The import is undone."))
    import_file_discarded = (
        "import-file-discarded",
        gettext_noop("The file is deleted. Nothing of it was imported."),
    )
    sign_ups_admitted = ("sign-ups-admitted", gettext_noop("They are admitted, and get the next newsletter."))
    sign_ups_declined = ("sign-ups-declined", gettext_noop("They are declined, and get no mail."))
    correction_saved = ("correction-saved", gettext_noop("The correction is saved. Nothing is sent yet."))
    correction_discarded = ("correction-discarded", gettext_noop("The correction is thrown away."))
    correction_prepared = (
        "correction-prepared",
        gettext_noop(
            "The correction is a campaign now, to be tested, approved and launched like the others."
        ),
    )
    message_judged = (
        "message-judged",
        gettext_noop("The message is judged, and what follows from it is done."),
    )
    successor_added = ("successor-added", gettext_noop("They are on the list and get the next mail."))
    successor_refused = ("successor-refused", gettext_noop("They are not added, and not proposed again."))
    successor_decided = ("successor-decided", gettext_noop("This was decided before. Nothing was changed."))


def find_notice(name: str) -> str:
    """Return the words for the notice called ``name``; empty if there is none."""
    return Notice(name).words if name in list(Notice) else ""

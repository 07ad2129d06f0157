// What html-validate judges by: everything it recommends, but for what a mail must do otherwise.

export default {
  root: true,
  extends: ["html-validate:recommended"],
  rules: {
    // Gmail and Outlook keep nothing but style attributes for sure, so the inliner puts all of them there.
    "no-inline-style": "off",
    // Outlook on Windows lays out by align, bgcolor, valign and width, which HTML gave up.
    "no-deprecated-attr": "off",
    // Conditional comments are how Outlook on Windows gets tables where others get floats.
    "no-conditional-comment": "off",
    // Layout tables have role="presentation"; a tbody would mean nothing and cost bytes.
    "prefer-tbody": "off",
    // MJML writes div role="article", which screen readers announce as a mail; article would be stripped.
    "prefer-native-element": "off",
    // The title is read out when a mail is opened: name and period, at times more than 70 characters.
    "long-title": "off",
    // Gmail compares the doctype with <!DOCTYPE html> as it is, in capitals.
    "doctype-style": "off",
    // MRML closes void elements as XML does; HTML ignores the slash.
    "void-style": "off",
  },
};

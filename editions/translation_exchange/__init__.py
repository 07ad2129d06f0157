"""All texts of an edition in one language as one file for translators outside, Word or XLIFF, and back."""

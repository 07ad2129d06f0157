"""Bodies as the document of a rich-text editor, and back to Markdown that is written as it was."""

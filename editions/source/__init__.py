"""The source files of an edition: finding them, reading them, and validating their front matter."""

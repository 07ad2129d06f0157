"""The images of an edition: reading them safely, finding those that are used, and preparing them for an
email."""

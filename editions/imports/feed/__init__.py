"""Reading an RSS or Atom feed: every entry is a story."""

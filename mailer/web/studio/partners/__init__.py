"""The partners: their lists, the page of each, and what is done about one."""

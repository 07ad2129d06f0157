"""A finished mail, parsed: elements, style sheets, computed styles."""

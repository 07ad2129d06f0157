"""Groups of OpenDocument's elements that are treated alike."""

INDEXES = frozenset(
    f"text:{name}"
    for name in (
        "table-of-content",
        "illustration-index",
        "table-index",
        "object-index",
        "user-index",
        "alphabetical-index",
        "bibliography",
    )
)
WITHOUT_TEXT = frozenset(
    {
        "text:tracked-changes",
        "text:sequence-decls",
        "text:variable-decls",
        "text:user-field-decls",
        "text:dde-connection-decls",
        "text:alphabetical-index-auto-mark-file",
        "text:soft-page-break",
        "text:list-header-decl",
        "office:forms",
        "office:annotation-end",
        "office:event-listeners",
        "table:table-column",
        "table:table-columns",
        "table:table-header-columns",
        "table:covered-table-cell",
        "svg:title",
        "svg:desc",
    }
)
CHANGE_MARKS = frozenset({"text:change", "text:change-start", "text:change-end"})

"""SVG elements, with everything in them escaped."""

from markupsafe import Markup, escape

Attribute = str | int | float


def draw_element(name: str, /, *content: str, **attributes: Attribute) -> Markup:
    """Make the element ``name`` with ``content``, of which only Markup is not escaped.

    An underscore in the name of an attribute is written as a hyphen (``text_anchor``), and one at its end is
    left out (``class_``).
    """
    # Joined as plain strings, each part escaped: Markup.format takes three times as long.
    written = "".join(
        f' {_name_attribute(key)}="{escape(_write_value(value))}"' for key, value in attributes.items()
    )
    inside = "".join(escape(part) for part in content)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 - escaped above


def draw_percent(share: float) -> str:
    """Write a coordinate in per cent of the chart's width or height."""
    return f"{_write_value(float(share))}%"


def draw_block(left: float, top: float, width: float, height: float, **attributes: Attribute) -> Markup:
    """Make a rectangle; ``left`` and ``width`` in per cent, ``top`` and ``height`` in pixels."""
    across, wide = draw_percent(left), draw_percent(width)
    return draw_element("rect", x=across, y=top, width=wide, height=height, **attributes)


def draw_chart(name: str, title: str, description: str, *content: Markup, height: float, kind: str) -> Markup:
    """Make the outermost element: a picture with a title and a description for those who cannot see it.

    ``name`` is a word of its own on the page, ``kind`` a class for the style sheet, and ``height`` in pixels.
    """
    return draw_element(
        "svg",
        draw_element("title", title, id=f"{name}-title"),
        draw_element("desc", description, id=f"{name}-description"),
        *content,
        class_=f"chart {kind}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-description",
        width="100%",
        height=height,
    )


def _name_attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _write_value(value: Attribute) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

"""Equations, of which an email can carry those that are one line of signs."""

from lxml import etree

from editions.imports.docx.ooxml import prefixed_name

_LINEAR = frozenset({"m:oMath", "m:oMathPara", "m:r", "m:t"})


def is_linear(equation: etree._Element) -> bool:
    """Whether ``equation`` has no fractions, roots or the like, without which its signs would be wrong."""
    return all(prefixed_name(part) in _LINEAR for part in _equation_parts(equation))


def _equation_parts(equation: etree._Element) -> list[etree._Element]:
    """The parts of an equation that are not formatting."""
    return [
        part
        for part in equation.iter()
        if prefixed_name(part).startswith("m:")
        and not prefixed_name(part).endswith("Pr")
        and not any(prefixed_name(ancestor).endswith("Pr") for ancestor in part.iterancestors())
    ]

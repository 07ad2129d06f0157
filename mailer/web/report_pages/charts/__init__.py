"""Charts as SVG, drawn on the server: pure functions of frozen values.

A chart is as wide as the page lets it be. Shapes are placed in per cent of that width, and letters keep their
size, so a chart can be read on a phone and on paper. Colours come from the style sheet, which knows dark mode
and printers; every colour has a pattern, a dash or a word beside it.
"""

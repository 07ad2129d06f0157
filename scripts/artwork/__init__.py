"""Drawing for print: paper, inks and a arrangements of shapes per sector, for
``scripts/illustrations.py``."""

"""Drawing for print: paper, inks and a grammar of shapes per sector, for ``scripts/illustrations.py``."""

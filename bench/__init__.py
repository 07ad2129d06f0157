"""Benchmarks against comparable tools: ``make bench``.

Every figure is a ratio of two things measured alternately, in one run on one machine, so that a busy machine
slows both equally. Milliseconds are specific to this machine and moment, and are only shown to give an idea.
"""

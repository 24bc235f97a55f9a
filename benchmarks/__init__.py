"""Measurements of speed against the ``lime`` package: ``make bench``."""

"""Rendering music, drawing sub-mixes and training encoders (paper, sections 3.1, 4.2 and 4.3)."""

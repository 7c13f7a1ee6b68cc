"""Recipes, one file each: the works that a kind of music comes from, and the rendering of one track."""

"""Guidance as measured: what a guide gains by its own judgement, and by that of judges that did not guide."""

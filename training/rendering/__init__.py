"""Making corpora: scores and projects rendered to stems; one file a kind of music in ``recipes``."""

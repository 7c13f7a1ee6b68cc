"""Making corpora: scores and projects rendered to stems."""

"""Judging generators: the queries they share, the audio they give, Table 3 (``cocola_metric.benchmarks``)."""

"""Table 1 as measured: every task of Figure 3, its measures, and the systems that claim it."""

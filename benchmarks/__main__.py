"""The commands of this package: `python -m cocola_metric.benchmarks COMMAND`."""

import sys

from cocola_metric.dispatch import Command, run

COMMANDS = {
    "queries": Command("queries.draw", "draw what every generator is asked"),
    "export": Command("generators.export", "write queries as audio for a system outside"),
    "generate": Command("generators.generate", "let one generator answer the queries"),
    "table3": Command("table3.table3", "answers, scores, sub-FAD and a page of them all"),
    "table1": Command("table3.tasks", "the paper's Table 1 and how each system is evaluated here"),
    "fad-bias": Command("fad.bias", "how biased a FAD is at small counts"),
    "fad-behaviour": Command("fad.behaviour", "what sub-FAD and the score say of damaged answers"),
}

if __name__ == "__main__":
    sys.exit(run("cocola_metric.benchmarks", COMMANDS, sys.argv[1:]))

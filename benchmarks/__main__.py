"""The commands of this package: `python -m cocola_metric.benchmarks COMMAND`."""

import sys

from cocola_metric.dispatch import Command, run

COMMANDS = {
    "queries": Command("queries.commands", "draw what every generator is asked"),
    "export": Command("generators.commands", "write queries as audio for a system outside"),
    "generate": Command("generators.commands", "let one generator answer the queries"),
    "samplers": Command("generators.commands", "MSDM's and GMSDI's samplers where the truth is known"),
    "table3": Command("table3.commands", "answers, scores, sub-FAD and a page of them all"),
    "table1": Command("table1.commands", "the paper's Table 1, and every task of it as measured"),
    "guidance": Command("guidance.commands", "what a guide gains, by its own judgement and by that of others"),
    "listening": Command("listening.commands", "how well scores agree with people who listened"),
    "fad-bias": Command("fad.commands", "how biased a FAD is at small counts"),
    "fad-behaviour": Command("fad.commands", "what sub-FAD and the score say of damaged answers"),
}

if __name__ == "__main__":
    sys.exit(run("cocola_metric.benchmarks", COMMANDS, sys.argv[1:]))

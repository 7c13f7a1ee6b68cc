"""The commands of this package: `python -m cocola_metric COMMAND`."""

import sys

from cocola_metric.dispatch import Command, run

COMMANDS = {
    "score": Command("cli.score", "how well an accompaniment fits: files, folders, lists of pairs, ranks", "main"),
    "compare": Command("cli.compare", "score files of several systems: differences, intervals, p-values", "main"),
    "fad": Command("cli.fad", "FAD and sub-FAD of folders of audio", "main"),
    "examples": Command("cli.examples", "three stems of an example song, and a command that scores them", "main"),
    "convert": Command("cli.score", "the authors' .ckpt file to a folder of this package", "convert"),
}

if __name__ == "__main__":
    sys.exit(run("cocola_metric", COMMANDS, sys.argv[1:]))

"""The commands of this package: `python -m cocola_metric.training COMMAND`."""

import sys

from cocola_metric.dispatch import Command, run

COMMANDS = {
    "render": Command("rendering.render", "make the training corpora from scores and projects"),
    "sources": Command("rendering.sources", "check or fetch what corpora are made from"),
    "train": Command("encoder.train", "train a COCOLA encoder"),
    "maps": Command("encoder.maps", "what a frozen trunk makes of drawn windows, for heads"),
    "train-head": Command("encoder.heads", "train what follows a frozen trunk, on its maps"),
    "join-head": Command("encoder.joining", "an encoder as it is, with the phasors of a head trained beside it"),
    "evaluate": Command("evaluation.evaluate", "accuracy, validity and Table 2 of encoders"),
    "compare": Command("evaluation.paired", "two encoders on the same windows, with paired differences"),
    "ablation": Command("evaluation.ablation", "the table of training runs that each lack a part"),
    "figure4": Command("evaluation.figure4", "the paper's Figure 4 from the logs of two runs"),
    "train-msdm": Command("msdm.train", "train an MSDM"),
    "train-componet": Command("componet.learning.train", "train CompoNet on top of AudioLDM2"),
    "train-componet-small": Command("componet.learning.small", "train a small CompoNet from nothing"),
    "componet-costs": Command("componet.learning.costs", "time and memory of CompoNet's training steps"),
}

if __name__ == "__main__":
    sys.exit(run("cocola_metric.training", COMMANDS, sys.argv[1:]))

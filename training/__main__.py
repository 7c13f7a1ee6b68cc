"""The commands of this package: `python -m cocola_metric.training COMMAND`."""

import sys

from cocola_metric.dispatch import Command, run

COMMANDS = {
    "render": Command("rendering.commands", "make the training corpora from scores and projects"),
    "sources": Command("rendering.commands", "check or fetch what corpora are made from"),
    "train": Command("encoder.commands", "train a COCOLA encoder"),
    "maps": Command("encoder.commands", "what a frozen trunk makes of drawn windows, for heads"),
    "train-head": Command("encoder.commands", "train what follows a frozen trunk, on its maps"),
    "join-head": Command("encoder.commands", "an encoder as it is, with the phasors of a head trained beside it"),
    "hear-noise": Command("encoder.commands", "a verdict on noise, for an encoder with phasors"),
    "judge-heads": Command("evaluation.commands", "encoders and heads on the validation windows of maps"),
    "evaluate": Command("evaluation.commands", "accuracy, validity and Table 2 of encoders"),
    "compare": Command("evaluation.commands", "encoders on the same windows, with paired differences"),
    "bleed": Command("evaluation.commands", "encoders and heads on music whose stems were made to bleed"),
    "guards": Command("evaluation.commands", "how often real music looks like an echo or noise, and echoes do not"),
    "reference": Command(
        "calibration.commands", "by which scores of an encoder are read: made, and its calibration measured"
    ),
    "ablation": Command("evaluation.commands", "the table of training runs that each lack a part"),
    "figure4": Command("evaluation.commands", "the paper's Figure 4 from the logs of two runs"),
    "train-msdm": Command("msdm.commands", "train an MSDM"),
    "train-gmsdi": Command("gmsdi.commands", "train a model of tagged sub-mixes, for GMSDI"),
    "train-componet": Command("componet.commands", "train CompoNet on top of AudioLDM2"),
    "train-componet-small": Command("componet.commands", "train a small CompoNet from nothing"),
    "componet-costs": Command("componet.commands", "time and memory of CompoNet's training steps"),
}

if __name__ == "__main__":
    sys.exit(run("cocola_metric.training", COMMANDS, sys.argv[1:]))

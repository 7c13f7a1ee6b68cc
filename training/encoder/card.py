"""The folder that a run leaves: weights, graph, and a model card with the accuracies on the validation split."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch

from cocola_metric import checkpoints
from cocola_metric.checkpoints import CARD_FILE, CardAccuracy, CardFacts
from cocola_metric.encoder import CocolaModel
from cocola_metric.identity import file_sha256

from ..corpora import CORPORA
from .choices import CHOICES
from .config import TrainingConfig


def save_run(model: CocolaModel, folder: Path, config: TrainingConfig, measured: Mapping[str, float]) -> None:
    """Write weights in float16, configuration, graph and card; an existing card keeps all but its accuracies.

    Args:
        model: trained model.
        folder: folder of the run.
        config: configuration of the run.
        measured: accuracies by name, from `Validation.measure`.

    Raises:
        CheckpointError: the folder cannot be written, or holds a README.md that is no card.
    """
    names = ", ".join(corpus_name(spec) for spec in config.corpora)
    kinds = (
        ("other_track", 2, "other_track"),
        ("same_track", 2, "same_track"),
        ("validation_accuracy", config.validation_windows, "all"),
        *((f"among_{count}", count, "other_track") for count in CHOICES),
    )
    accuracies = [
        CardAccuracy(names, "validation", among, others, round(100 * measured[key], 2))
        for key, among, others in kinds
        if math.isfinite(measured.get(key, math.nan))
    ]
    if (folder / CARD_FILE).is_file():
        weights = checkpoints.save_state(model.config, model.state_dict(), folder, dtype=torch.float16)
        checkpoints.write_graph(model.config, folder)
        checkpoints.note_accuracies(folder, accuracies, file_sha256(weights))
        return
    facts = CardFacts(training_data=f"The training split of {names}.", accuracies=accuracies)
    checkpoints.save_with_card(model.config, model.state_dict(), folder, facts, dtype=torch.float16)


def corpus_name(spec: str) -> str:
    """Return what a card calls a corpus: its reader, or the last part of its folder.

    >>> corpus_name("moisesdb:/data/moisesdb"), corpus_name("corpora/chorus")
    ('moisesdb', 'chorus')
    """
    reader, colon, _ = spec.partition(":")
    return reader if colon and reader in CORPORA else Path(spec).expanduser().resolve().name

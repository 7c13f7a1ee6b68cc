"""The accuracy of an encoder during training, always on the same drawn pairs."""

import dataclasses

import torch
from torch import Tensor

from cocola_metric import functional
from cocola_metric.audio import WINDOW
from cocola_metric.encoder import CocolaModel

from ..corpora import StemBank
from .batches import Draws
from .choices import CHOICES, chances_among
from .config import TrainingConfig
from .waveforms import hear

BATCHES = {"shift": 10, "transpose": 4, "stretch": 4, "noise": 2}
BATCH_OF_FEATURES = 32


class Validation:
    """Drawn pairs of two windows from each track, each with a wrong accompaniment; kept as features on the device.

    Raises:
        AudioError: the validation split holds too few windows.
    """

    def __init__(self, bank: StemBank, config: TrainingConfig, model: CocolaModel) -> None:
        self.batches: list[tuple[str, Tensor, Tensor, Tensor]] = []
        for number, (alteration, count) in enumerate(BATCHES.items(), 1):
            sampling = dataclasses.replace(
                config.sampling.untreated(),
                window=min(config.sampling.window, WINDOW),
                shortest_window=0.0,
                batch_size=config.validation_windows,
                windows_per_track=2,
                partition="track",
                alterations={alteration: 1.0},
            )
            draws = Draws(
                bank.tracks,
                sampling,
                steps=count,
                seed=config.seed + number,
                split="validation",
                size_setting="validation_windows",
            )
            for draw in map(draws.__getitem__, range(count)):
                waveforms, has_wrong = hear(bank, draw, sampling)
                features = front_end_features(model, waveforms).half()
                self.batches.append((alteration, features, draw.tracks.to(features.device), has_wrong))

    @torch.no_grad()
    def measure(self, model: CocolaModel) -> dict[str, float]:
        """Return loss (Eq. 3), accuracy (Eq. 8) in batches of ``validation_windows``, and shares of wins between two.

        ``other_track`` and ``same_track`` compare the right accompaniment with one of another window. ``shift``,
        ``transpose``, ``stretch`` and ``noise`` compare it with itself made wrong. ``among_8``, ``among_16`` and
        ``among_64`` are accuracies among so many, with windows of other tracks from all batches of plain music; they
        are NaN where there are too few.
        """
        model.eval()
        wins: dict[str, list[Tensor]] = {}
        losses, accuracies = [], []
        plain: list[tuple[Tensor, Tensor, Tensor]] = []
        for alteration, features, tracks, has_wrong in self.batches:
            conditioning, accompaniment, wrong = (
                torch.cat([model.encoder.embed_features(part) for part in side.float().split(BATCH_OF_FEATURES)])
                for side in features.unbind(1)
            )
            similarities = model.similarity.matrix(conditioning, accompaniment)
            own = similarities.diagonal()
            altered = own > model.similarity.pairs(conditioning, wrong)
            wins.setdefault(alteration, []).append(altered[has_wrong])
            if alteration == "shift":  # the rest of these batches is music as it is
                related = tracks[:, None] == tracks[None, :]
                better = own[:, None] > similarities
                itself = torch.eye(len(own), dtype=torch.bool, device=own.device)
                wins.setdefault("other_track", []).append(better[~related])
                wins.setdefault("same_track", []).append(better[related & ~itself])
                losses.append(functional.contrastive_loss(similarities))
                accuracies.append(functional.accuracy(similarities))
                plain.append((conditioning, accompaniment, tracks))
        return {
            "validation_loss": torch.stack(losses).mean().item(),
            "validation_accuracy": torch.stack(accuracies).mean().item(),
            **{name: torch.cat(parts).float().mean().item() for name, parts in wins.items()},
            **_among(model, *(torch.cat(parts) for parts in zip(*plain, strict=True))),
        }


def _among(model: CocolaModel, conditioning: Tensor, accompaniment: Tensor, tracks: Tensor) -> dict[str, float]:
    """Return the accuracy by K among windows of other tracks: (n, D), (n, D), (n,) -> one for each of ``CHOICES``."""
    similarities = model.similarity.matrix(conditioning, accompaniment).cpu()
    better = similarities.diagonal()[:, None] > similarities
    others = (tracks[:, None] != tracks[None, :]).cpu()
    return {f"among_{count}": chances_among(better, others, count).nanmean().item() for count in CHOICES}


@torch.no_grad()
def front_end_features(model: CocolaModel, waveforms: Tensor) -> Tensor:
    """Return the features of sub-mixes, on the CPU a few at a time: (K, S, L) -> (K, S, C, M, F)."""
    flat = waveforms.flatten(0, 1)
    few = len(flat) if flat.is_cuda else BATCH_OF_FEATURES  # a GPU spends its time on starting kernels, not on rows
    features: Tensor = torch.cat([model.encoder.front_end(part) for part in flat.split(few)])
    grouped: Tensor = features.unflatten(0, waveforms.shape[:2])
    return grouped

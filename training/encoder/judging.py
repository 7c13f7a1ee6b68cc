"""The embeddings of kept maps, and the accuracies of a head on those of validation tracks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cocola_metric import functional
from cocola_metric.encoder import CocolaModel, PhasorEfficientNet, PlacedEfficientNet, TrunkMaps

from .choices import CHOICES, chances_among
from .maps import SIDES, TREATED, UNTREATED, WHITE, MapStore, backbone_of, open_watched
from .noises import below_others

PAIRS_AT_ONCE = 32
FRAMES_PER_STEP = 4  # of the images, in a step of the map that phasors read
MEASURES = (
    *("other_track", "same_track", "shift", "transpose", "stretch", "noise"),
    *(f"among_{count}" for count in CHOICES),
    "below",
)
"""Keys of the accuracies by which heads are judged."""


def embed_maps(
    model: CocolaModel,
    store: MapStore,
    rows: NDArray[np.int64],
    sides: int = SIDES,
    piece: slice | None = None,
) -> Tensor:
    """Return the embeddings of some pairs and their wrong accompaniments: (n, 3, D); of the pairs alone: (n, 2, D).

    A lean store holds what the encoder of the trunk read in it; the model has to read it alike.

    Args:
        model: head or encoder on the trunk that made the maps.
        store: maps of windows.
        rows: numbers of the pairs.
        sides: number of sides to embed.
        piece: piece of the windows that phasors read, in steps of the map they read; all else reads whole windows.
    """
    backbone, chosen = backbone_of(model), slice(sides)
    images = store.images(rows, chosen).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    maps = TrunkMaps(*(part.flatten(0, 1) for part in store.maps(rows, chosen)))
    if piece is not None:
        images = images[..., FRAMES_PER_STEP * piece.start : FRAMES_PER_STEP * piece.stop]
        maps = maps._replace(quarter=maps.quarter[..., piece])
    if not store.is_lean:
        pooled = backbone.read(images, maps)
    else:
        pooled = _kept_readings(backbone, store, rows, maps, chosen)
        if isinstance(backbone, PhasorEfficientNet):
            pooled = backbone.complete(pooled, images, maps.quarter)
    embeddings: Tensor = model.encoder.project(pooled)
    grouped: Tensor = embeddings.unflatten(0, (len(rows), sides))
    return grouped


def _kept_readings(
    backbone: PlacedEfficientNet, store: MapStore, rows: NDArray[np.int64], maps: TrunkMaps, sides: slice
) -> Tensor:
    if isinstance(backbone, PhasorEfficientNet) and not backbone.places:
        normed: Tensor = backbone.norm(maps.average)
        return normed
    return store.readings(rows, sides).flatten(0, 1)


@torch.inference_mode()
def embed_on_trunk(models: Mapping[str, CocolaModel], trunk: CocolaModel, waveforms: Tensor) -> dict[str, Tensor]:
    """Return the embeddings by several heads and encoders on one trunk, which computes its maps once.

    Args:
        models: heads and encoders by name, in evaluation mode.
        trunk: encoder with their trunk.
        waveforms: waveforms at 16 kHz.

    Shape:
        (B, L) -> (B, D) each.
    """
    images = trunk.encoder.front_end(waveforms)
    maps = backbone_of(trunk).maps(images.contiguous(memory_format=torch.channels_last))
    return {name: model.encoder.project(backbone_of(model).read(images, maps)) for name, model in models.items()}


def judge(model: CocolaModel, maps: Path) -> dict[str, dict[str, float]]:
    """Return the accuracies of a head on validation windows as they are, and treated where there are maps of that.

    Args:
        model: head or encoder on the trunk that made the maps.
        maps: folder that the command ``maps`` wrote.

    Raises:
        UsageError: the folder holds no maps of validation windows.
    """
    treatments = [UNTREATED, *([TREATED] if (maps / TREATED).exists() else [])]
    white = MapStore(maps / WHITE) if (maps / WHITE).exists() else None
    return {treatment: measure_head(model, open_watched(maps, treatment), white) for treatment in treatments}


@torch.inference_mode()
def measure_head(model: CocolaModel, stores: dict[str, MapStore], white: MapStore | None = None) -> dict[str, float]:
    """Return the accuracies of a head on the windows of validation tracks.

    Each is the share of windows whose right accompaniment has the higher score. ``shift``, ``transpose``, ``stretch``,
    ``noise``: against itself made wrong; ``other_track``, ``same_track``: against a window of another track, or of the
    same one; ``among_16``: against fifteen windows of other tracks. ``below``: share of accompaniments of other tracks
    that score above white noise, where its maps are given.
    """
    model.eval()
    measured: dict[str, float] = {}
    for kind, store in stores.items():
        parts = np.array_split(np.arange(store.count), -(-store.count // PAIRS_AT_ONCE))
        conditioning, accompaniment, wrong = torch.cat([embed_maps(model, store, rows) for rows in parts]).unbind(1)
        own = model.similarity.pairs(conditioning, accompaniment)
        has_wrong = torch.from_numpy(store.arrays["has_wrong"][: store.count].copy())
        better = own > model.similarity.pairs(conditioning, wrong)
        measured[kind] = better[has_wrong].float().mean().item()
        if kind == "shift":  # the rest of these pairs is music as it is
            similarities = model.similarity.matrix(conditioning, accompaniment)
            tracks = torch.from_numpy(store.arrays["tracks"][: store.count].copy())
            measured |= _among_windows(similarities, tracks, store.batch_size)
            if white is not None:
                heard = embed_maps(model, white, np.arange(white.count)).flatten(0, 1)
                measured["below"] = below_others(similarities, model.similarity.matrix(conditioning, heard), tracks)
    return measured


def _among_windows(similarities: Tensor, tracks: Tensor, batch_size: int) -> dict[str, float]:
    own, related = similarities.diagonal()[:, None], tracks[:, None] == tracks[None, :]
    better = own > similarities
    number = torch.arange(len(tracks))
    split_alike = number[:, None] // batch_size == number[None, :] // batch_size
    itself = torch.eye(len(tracks), dtype=torch.bool)
    blocks = [similarities[rows][:, rows] for rows in number.split(batch_size)]
    return {
        "validation_loss": torch.stack([functional.contrastive_loss(block) for block in blocks]).mean().item(),
        "validation_accuracy": torch.stack([functional.accuracy(block) for block in blocks]).mean().item(),
        "other_track": better[~related].float().mean().item(),
        "same_track": better[related & split_alike & ~itself].float().mean().item(),
        **{f"among_{count}": chances_among(better, ~related, count).nanmean().item() for count in CHOICES},
    }

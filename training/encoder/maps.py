"""The maps that a frozen trunk computes from drawn windows, kept on disk, so that heads train on them in minutes."""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from cocola_metric import checkpoints
from cocola_metric.audio import WINDOW
from cocola_metric.encoder import MODES, CocolaModel, PlacedEfficientNet, TrunkMaps, fold_batch_norm, select_mode
from cocola_metric.errors import UsageError
from cocola_metric.whole_files import make_folder, write_text_whole

from ..corpora import StemBank, open_banks
from .batches import KINDS, Draws
from .config import SamplingConfig, TrainingConfig, load_config
from .noises import draw_noises
from .validation import BATCH_OF_FEATURES
from .waveforms import hear

INDEX = "maps.json"
FLOOR_DB = -80.0
STEPS_OF_IMAGES = 255
SIDES = 3
VALIDATION_BATCHES = {"shift": 10, "transpose": 5, "stretch": 5, "noise": 3}
LARGEST_TRANSPOSITION = 3  # semitones, of validation windows
BOTH_ONLY = (1.0, 0.0, 0.0)
UNTREATED, TREATED, NOISES, WHITE = "validation", "treated", "noises", "white"
WINDOWS_OF_NOISE, WINDOWS_OF_WHITE = 288, 24
READINGS = "readings"
LEFT_OUT = ("eighth", "last")
"""Maps that phasors do not read, where the encoder's own readings stand in for them."""
IMAGES, TRACKS, KIND, HAS_WRONG, MODE = "images", "tracks", "kind", "has_wrong", "mode"


class MapStore:
    """Maps of pairs and their wrong accompaniments, in files mapped into memory; finished pairs are readable.

    Attributes:
        arrays: arrays by name, with pairs along the first axis: ``images`` in 255 steps of the dynamic range, each of
            `TrunkMaps` in float16, ``tracks``, ``kind`` (index into ``KINDS``), ``has_wrong``, and ``mode`` (index into
            ``MODES``; all in both channels if it is not there).
        batch_size: number of pairs of a draw, which splits the stems of each track once.
        count: number of pairs written so far.
    """

    def __init__(self, folder: Path) -> None:
        """Open a folder.

        Raises:
            UsageError: the folder holds no maps.
        """
        try:
            index = json.loads((folder / INDEX).read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder}: no maps ({error}); write them with the command 'maps'") from error
        self.batch_size, self.count = int(index["batch_size"]), int(index["count"])
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in index["arrays"]
        }

    def images(self, rows: NDArray[np.int64], sides: slice = slice(None)) -> Tensor:
        """Return the front end's images of some pairs in dB: (n, S, C, M, F)."""
        steps = torch.from_numpy(self.arrays[IMAGES][rows, sides])
        return FLOOR_DB * (1 - steps.float() / STEPS_OF_IMAGES)

    def maps(self, rows: NDArray[np.int64], sides: slice = slice(None)) -> TrunkMaps:
        """Return the trunk's maps of some pairs: (n, S, ...) each."""
        shape = self.arrays[IMAGES][rows, sides].shape[:2]
        return TrunkMaps(
            *(
                torch.from_numpy(self.arrays[name][rows, sides]).float()
                if name in self.arrays
                else torch.empty(*shape, 0)
                for name in TrunkMaps._fields
            )
        )

    @property
    def is_lean(self) -> bool:
        """Whether what phasors do not read was left out."""
        return not set(LEFT_OUT) <= set(self.arrays)

    def modes(self, rows: NDArray[np.int64] | slice) -> NDArray[np.int8]:
        """Return the modes that some pairs are encoded in: (n,)."""
        modes: NDArray[np.int8] = (
            self.arrays[MODE][rows] if MODE in self.arrays else np.zeros(self.count, np.int8)[rows]
        )
        return modes

    def readings(self, rows: NDArray[np.int64], sides: slice = slice(None)) -> Tensor:
        """Return what the encoder of the trunk read in its maps itself: (n, S, W)."""
        return torch.from_numpy(self.arrays[READINGS][rows, sides]).float()


def write_all_maps(
    config: TrainingConfig,
    out: Path,
    *,
    start_from: str,
    cache: Path | None = None,
    batches: int,
    workers: int = 2,
    lean: bool = False,
) -> None:
    """Write the maps of training windows as a configuration draws them, and of validation windows plain and treated so.

    Args:
        config: configuration with corpora and sampling.
        out: folder for ``train``, ``validation/<kind>``, ``treated/<kind>``, ``noises`` and ``white``.
        start_from: encoder whose trunk makes the maps, as for ``checkpoints.load``.
        cache: folder of the decoded corpora; None stands for ``out/bank``.
        batches: number of batches of ``config.sampling.batch_size`` training pairs.
        workers: number of processes that decode.
        lean: choice to leave out what phasors do not read, a quarter of it all.
    """
    model = fold_batch_norm(checkpoints.load(start_from).model)
    banks = {
        split: StemBank.join(open_banks(config.corpora, split, cache or out / "bank", workers=workers), "cpu")
        for split in ("validation", "train")
    }
    for treatment, sampling in ((UNTREATED, config.sampling.untreated()), (TREATED, config.sampling)):
        for number, (kind, count) in enumerate(VALIDATION_BATCHES.items(), 1):
            watched = dataclasses.replace(
                sampling,
                window=min(config.sampling.window, WINDOW),
                shortest_window=0.0,
                mode_shares=BOTH_ONLY,
                batch_size=config.validation_windows,
                windows_per_track=2,
                partition="track",
                alterations={kind: 1.0},
                largest_transposition=LARGEST_TRANSPOSITION,
            )
            draws = Draws(
                banks["validation"].tracks,
                watched,
                steps=count,
                seed=config.seed + number,
                split="validation",
                size_setting="validation_windows",
            )
            write_maps(out / treatment / kind, model, banks["validation"], draws, watched, lean=lean)
    write_noises(out / NOISES, model, seed=config.seed, lean=lean)
    write_noises(out / WHITE, model, seed=config.seed, white=True, lean=lean)
    whole = dataclasses.replace(config.sampling, shortest_window=0.0)  # train-head cuts them
    draws = Draws(banks["train"].tracks, whole, steps=batches, seed=config.seed)
    write_maps(out / "train", model, banks["train"], draws, whole, lean=lean)


@torch.inference_mode()
def write_noises(folder: Path, model: CocolaModel, *, seed: int, white: bool = False, lean: bool = False) -> None:
    """Write the maps of windows of noise, three a row."""
    generator = torch.Generator().manual_seed(seed + white)
    count = WINDOWS_OF_WHITE if white else WINDOWS_OF_NOISE
    waveforms = draw_noises(count, generator, white=white).unflatten(0, (-1, SIDES))
    make_folder(folder)
    made = _all_maps(model, waveforms, torch.zeros(len(waveforms), dtype=torch.int64), lean=lean)
    nothing = np.zeros(len(waveforms), np.int64)
    for name, values in {**made, TRACKS: nothing, KIND: nothing, HAS_WRONG: nothing}.items():
        np.save(folder / f"{name}.npy", values)
    index = {"arrays": [*made, TRACKS, KIND, HAS_WRONG], "batch_size": len(waveforms), "count": len(waveforms)}
    write_text_whole(folder / INDEX, json.dumps(index))


def open_watched(folder: Path, treatment: str = UNTREATED) -> dict[str, MapStore]:
    """Open the maps of validation windows, by the kind of their wrong accompaniments.

    Args:
        folder: folder that the command ``maps`` wrote.
        treatment: UNTREATED, or TREATED as the training windows are.

    Raises:
        UsageError: the folder holds no maps.
    """
    found = {index.parent.name: MapStore(index.parent) for index in sorted(folder.glob(f"{treatment}/*/{INDEX}"))}
    if not found:
        raise UsageError(f"{folder}: no maps of validation windows; write them with the command 'maps'")
    return found


@torch.inference_mode()
def write_maps(
    folder: Path, model: CocolaModel, bank: StemBank, draws: Draws, sampling: SamplingConfig, *, lean: bool = False
) -> None:
    """Write the maps of drawn pairs, batch by batch; the index tells how many are whole."""
    make_folder(folder)
    arrays: dict[str, NDArray[Any]] = {}
    done = 0
    for number in tqdm(range(len(draws)), desc=f"maps of {folder.name}", unit="batch", disable=None):
        draw = draws[number]
        waveforms, has_wrong = hear(bank, draw, sampling)
        size = len(waveforms)
        made = _all_maps(model, waveforms, draw.modes, lean=lean)
        if not arrays:
            arrays = _create(folder, len(draws) * size, made)
        rows = slice(done, done + size)
        for name, values in made.items():
            arrays[name][rows, : values.shape[1]] = values
        arrays[TRACKS][rows], arrays[KIND][rows] = draw.tracks.numpy(), draw.alteration
        arrays[MODE][rows] = draw.modes.numpy()
        arrays[HAS_WRONG][rows] = has_wrong.numpy() if KINDS[draw.alteration] != "none" else False
        done += size
        index = {"arrays": list(arrays), "batch_size": size, "count": done}
        write_text_whole(folder / INDEX, json.dumps(index))


def backbone_of(model: CocolaModel) -> PlacedEfficientNet:
    """Return the backbone of a model, which computes maps and reads them.

    Raises:
        UsageError: the backbone is of another kind.
    """
    backbone = model.encoder.backbone
    if not isinstance(backbone, PlacedEfficientNet):
        raise UsageError(
            f"backbone {model.config.backbone!r} has no maps to keep; a head needs the trunk of an encoder such as "
            "'embedded', with backbone 'placed_efficientnet_b0' or one with phasors"
        )
    return backbone


def _all_maps(model: CocolaModel, waveforms: Tensor, modes: Tensor, *, lean: bool) -> dict[str, NDArray[Any]]:
    """Return images and maps of (K, S, L) waveforms in K modes, (K, S, ...) each, in the form they are kept in."""
    parts: dict[str, list[NDArray[Any]]] = {}
    of_sides = modes.repeat_interleave(waveforms.shape[1]).split(BATCH_OF_FEATURES)
    for batch, numbers in zip(waveforms.flatten(0, 1).split(BATCH_OF_FEATURES), of_sides, strict=True):
        images = model.encoder.front_end(batch)
        for number in numbers.unique().tolist():
            images[numbers == number] = select_mode(images[numbers == number], MODES[number])
        steps = ((1 - images / FLOOR_DB) * STEPS_OF_IMAGES).round().to(torch.uint8)
        parts.setdefault(IMAGES, []).append(steps.numpy())
        backbone = backbone_of(model)
        maps = backbone.maps(images.contiguous(memory_format=torch.channels_last))
        made = {name: values for name, values in maps._asdict().items() if not (lean and name in LEFT_OUT)}
        made[READINGS] = backbone.readings(images, maps)
        for name, values in made.items():
            parts.setdefault(name, []).append(values.half().contiguous().numpy())
    shape = waveforms.shape[:2]
    return {name: np.concatenate(rows).reshape(*shape, *rows[0].shape[1:]) for name, rows in parts.items()}


def _create(folder: Path, pairs: int, made: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    shapes = {name: ((pairs, SIDES, *values.shape[2:]), values.dtype) for name, values in made.items()}
    shapes |= {TRACKS: ((pairs,), np.dtype(np.int64)), KIND: ((pairs,), np.dtype(np.int8))}
    shapes[MODE] = ((pairs,), np.dtype(np.int8))
    shapes[HAS_WRONG] = ((pairs,), np.dtype(np.bool_))
    return {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)
        for name, (shape, dtype) in shapes.items()
    }


def run(options: argparse.Namespace) -> None:
    """Write maps with the options of the command."""
    config = load_config(options.config, options.set)
    if options.corpus:
        config = dataclasses.replace(config, corpora=tuple(options.corpus))
    write_all_maps(
        config,
        options.out,
        start_from=options.start_from,
        cache=options.cache,
        batches=options.batches,
        workers=options.workers,
        lean=options.lean,
    )

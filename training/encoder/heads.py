"""Training of the head behind a frozen trunk, on the trunk's maps."""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from cocola_metric import checkpoints, functional
from cocola_metric.encoder import CocolaModel, PhasorEfficientNet
from cocola_metric.errors import UsageError

from ..runs import Pace, Training, note_settings, run_loop
from . import train
from .config import TrainingConfig, load_config
from .judging import embed_maps, measure_head
from .maps import NOISES, SIDES, WHITE, MapStore, backbone_of, open_watched
from .noises import noise_loss
from .starts import TRUNK, load_head, save_head, start_weights
from .train import keep_freed_memory
from .turning import turned_wrongs

STEPS_BETWEEN_LINES = 50
STEPS_BETWEEN_MEASUREMENTS = 200
MATRIX = "similarity.weight"
READINGS_LEARNT = tuple(f"encoder.backbone.{part}." for part in ("time", "pitch", "both"))


LOG = dataclasses.replace(train.LOG, columns=(*train.LOG.columns, "below"))


class RowsOfPairs(Dataset[NDArray[np.int64]]):
    """The rows of each batch in a store; pairs of one track come from one draw, which split the track's stems once."""

    def __init__(self, store: MapStore, size: int, *, steps: int, seed: int) -> None:
        self.size, self.steps, self.seed = size, steps, seed
        tracks, everyone = store.arrays["tracks"][: store.count], np.arange(store.count)
        self.groups: list[tuple[int, NDArray[np.int64]]] = []
        for rows in np.array_split(everyone, max(1, store.count // store.batch_size)):
            self.groups += [(int(track), rows[tracks[rows] == track]) for track in np.unique(tracks[rows])]

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> NDArray[np.int64]:
        rows: list[int] = []
        taken: set[int] = set()
        for number in np.random.default_rng([self.seed, step]).permutation(len(self.groups)).tolist():
            track, own = self.groups[number]
            if track not in taken:
                taken.add(track)
                rows += own.tolist()
            if len(rows) >= self.size:
                break
        return np.sort(np.asarray(rows[: self.size]))


def train_head(
    config: TrainingConfig,
    out: Path,
    maps: Path,
    *,
    start_from: str,
    head: Path | None = None,
    keep: bool = False,
    minutes: float | None = None,
) -> CocolaModel:
    """Train the head of an encoder whose trunk keeps its weights, from maps that this trunk made.

    Writes ``log.csv``, ``training.json``, and at the end ``config.json`` and ``model.safetensors`` in float16,
    and the weights behind the trunk alone in ``head``.

    Args:
        config: settings of the run; of ``sampling`` only the batch size counts here.
        out: folder of the run.
        maps: folder that the command ``maps`` wrote.
        start_from: weights to begin with; those of the trunk stay as they are.
        head: folder of a head to go on from, as for `load_head`.
        keep: choice of the weights that stay: all that this model shares with that encoder, or only the trunk's.
        minutes: time for training, in minutes, even if steps are left.

    Raises:
        UsageError: there are no maps.
    """
    store, watched = MapStore(maps / "train"), open_watched(maps)
    noises = MapStore(maps / NOISES) if config.noises else None
    white = MapStore(maps / WHITE) if config.noises else None
    settings = dataclasses.asdict(config)
    note_settings(out, settings)
    torch.manual_seed(config.seed)
    model = CocolaModel(config.encoder)
    if head is not None:
        begun = load_head(head, checkpoints.load(start_from).model).state_dict()
        checkpoints.refuse_mismatch(model.state_dict(), begun.items(), f"{head}: not a head of this configuration")
        model.load_state_dict(begun)
    trained = freeze(model, start_weights(model, start_from, within="" if keep else TRUNK))
    if config.phasors_alone:
        trained = _leave_real_part_out(model, trained)
    if store.is_lean and any(name.startswith(READINGS_LEARNT) for name, _ in trained):
        raise UsageError(f"{maps}: lean maps hold what the encoder read; to learn to read write them without --lean")
    optimizer = torch.optim.Adam(
        [
            {"params": [part for name, part in trained if name != MATRIX], "lr": config.learning_rate},
            {"params": [part for name, part in trained if name == MATRIX], "lr": config.similarity_learning_rate},
        ]
    )

    def loss(step: int, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1_000_003 * config.seed + step)
        sides = SIDES if store.arrays["has_wrong"][rows].any() else SIDES - 1  # the third side of the others is empty
        embedded = embed_maps(_train(model), store, rows, sides)
        similarities = _similarities(model, embedded, store, rows, config, generator)
        loss = functional.contrastive_loss(similarities, label_smoothing=config.label_smoothing)
        if noises is not None:
            heard = _embed_noises(_keep(model), noises, config.noises, generator)
            of_noise = model.similarity.matrix(embedded[:, 0], heard)
            tracks = torch.from_numpy(store.arrays["tracks"][rows])
            others = similarities[:, : len(rows)]
            loss = loss + config.noise_weight * noise_loss(others, of_noise, tracks, generator)
        return loss, functional.accuracy(similarities.detach())

    training = Training(
        name=out.name,
        weights=model.state_dict(),
        optimizer=optimizer,
        draws=RowsOfPairs(store, config.sampling.batch_size, steps=config.steps, seed=config.seed),
        batch_size=config.sampling.batch_size,
        loss=loss,
        measure=lambda: measure_head(model, watched, white),
        log=LOG,
        settings=settings,
    )
    pace = Pace(
        config.steps,
        config.warmup_steps,
        steps_between_lines=STEPS_BETWEEN_LINES,
        steps_between_checkpoints=STEPS_BETWEEN_MEASUREMENTS,
    )
    run_loop(Accelerator(cpu=True), training, pace, out, minutes=minutes, workers=0)
    checkpoints.save(model, out, dtype=torch.float16)
    save_head(model, out / "head")
    return model.eval()


def freeze(model: CocolaModel, kept: set[str]) -> list[tuple[str, nn.Parameter]]:
    """Freeze parameters; return the others by name."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in kept)
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def _leave_real_part_out(model: CocolaModel, trained: list[tuple[str, nn.Parameter]]) -> list[tuple[str, nn.Parameter]]:
    """Give the real part no say in the similarity, and return what is trained then."""
    matrix = model.similarity.get_parameter("weight")
    matrix.requires_grad_(False).zero_()
    return [(name, part) for name, part in trained if name != MATRIX]


def _train(model: CocolaModel) -> CocolaModel:
    """Put trained modules into training mode; norms and dropouts of frozen ones stay in evaluation mode."""
    for module in model.modules():
        module.train(any(part.requires_grad for part in module.parameters()))
    model.encoder.dropout.train(any(part.requires_grad for part in model.encoder.projection.parameters()))
    return model


def _keep(model: CocolaModel) -> CocolaModel:
    """Let norms that are trained keep their statistics: noise is no music."""
    return model.eval()


def _embed_noises(model: CocolaModel, noises: MapStore, count: int, generator: torch.Generator) -> Tensor:
    rows = torch.randperm(noises.count, generator=generator)[: -(-count // SIDES)]
    return embed_maps(model, noises, np.sort(rows.numpy())).flatten(0, 1)[:count]


def _similarities(
    model: CocolaModel,
    embedded: Tensor,
    store: MapStore,
    rows: NDArray[np.int64],
    config: TrainingConfig,
    generator: torch.Generator,
) -> Tensor:
    """Return the similarities of each conditioning with every accompaniment, then with its own n wrong ones.

    Shape:
        (K, 2 or 3, D), (K,) -> (K, K + n).
    """
    conditioning, accompaniment, *wrong = embedded.unbind(1)
    columns = [model.similarity.matrix(conditioning, accompaniment)]
    for one in wrong:
        has_wrong = torch.from_numpy(store.arrays["has_wrong"][rows])
        columns.append(model.similarity.pairs(conditioning, one).masked_fill(~has_wrong, float("-inf"))[:, None])
    if config.itself:
        columns.append(model.similarity.pairs(conditioning, conditioning)[:, None])
    if config.turned:
        backbone = backbone_of(model)
        if not isinstance(backbone, PhasorEfficientNet):
            raise UsageError(f"turned={config.turned} needs phasors, which backbone {model.config.backbone!r} lacks")
        turned = turned_wrongs(accompaniment, config.turned, config.sampling, backbone.sizes, generator)
        columns.append((model.similarity.left(conditioning)[:, None] * turned).sum(-1))
    return torch.cat(columns, dim=1)


def run(options: argparse.Namespace) -> None:
    """Train a head with the options of the command."""
    keep_freed_memory()
    train_head(
        load_config(options.config, options.set),
        options.out,
        options.maps,
        start_from=options.start_from,
        head=options.head,
        keep=options.keep,
        minutes=options.minutes,
    )

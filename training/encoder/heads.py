"""Training of the head behind a frozen trunk, on the trunk's maps."""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from cocola_metric import checkpoints, functional
from cocola_metric.encoder import CocolaModel, PhasorEfficientNet
from cocola_metric.errors import UsageError

from ..runs import Pace, Training, note_settings, run_loop
from . import train
from .config import TrainingConfig, load_config
from .judging import PAIRS_AT_ONCE, embed_maps, measure_head
from .maps import NOISES, SIDES, WHITE, MapStore, backbone_of, open_watched
from .noises import noise_loss
from .optimizers import make_head_optimizer
from .rows import RowsOfStores, draw_piece
from .starts import TRUNK, load_head, save_head, start_weights
from .train import keep_freed_memory
from .turning import turned_wrongs

STEPS_BETWEEN_LINES = 50
STEPS_BETWEEN_MEASUREMENTS = 200
MATRIX, FORMS = "similarity.weight", "similarity.forms."
READINGS_LEARNT = tuple(f"encoder.backbone.{part}." for part in ("time", "pitch", "both"))


LOG = dataclasses.replace(train.LOG, columns=(*train.LOG.columns, "below"))


def train_head(
    config: TrainingConfig,
    out: Path,
    maps: Path,
    *more_maps: Path,
    start_from: str,
    head: Path | None = None,
    keep: bool = False,
    minutes: float | None = None,
) -> CocolaModel:
    """Train the head of an encoder whose trunk keeps its weights, from maps that this trunk made.

    Writes ``log.csv``, ``training.json``, and at the end ``config.json`` and ``model.safetensors`` in float16,
    and the weights behind the trunk alone in ``head``.

    Args:
        config: settings of the run; of ``sampling`` only the batch size, the window and the shortest one, and the
            modes that have a share count here.
        out: folder of the run.
        maps: folder that the command ``maps`` wrote, with training and validation windows.
        more_maps: folders with further training windows.
        start_from: weights to begin with; those of the trunk stay as they are.
        head: folder of a head to go on from, as for `load_head`.
        keep: choice of the weights that stay: all that this model shares with that encoder, or only the trunk's.
        minutes: time for training, in minutes, even if steps are left.

    Raises:
        UsageError: there are no maps, or windows cannot be cut, since a part reads maps of whole ones.
    """
    stores, watched = [MapStore(folder / "train") for folder in (maps, *more_maps)], open_watched(maps)
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
    elif config.sampling.shortest_window:
        raise UsageError("sampling.shortest_window cuts what phasors read alone; set phasors_alone = true")
    if config.forms_alone:
        trained = freeze(model, {name for name, _ in model.named_parameters() if not name.startswith(FORMS)})
    if any(store.is_lean for store in stores) and any(name.startswith(READINGS_LEARNT) for name, _ in trained):
        raise UsageError(f"{maps}: lean maps hold what the encoder read; to learn to read write them without --lean")
    optimizer = make_head_optimizer(trained, MATRIX, FORMS, config)
    known = [embed_store(model.eval(), store) for store in stores] if config.forms_alone else None

    def loss(step: int, batch: tuple[int, NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
        store, rows = stores[batch[0]], np.asarray(batch[1])
        generator = torch.Generator().manual_seed(1_000_003 * config.seed + step)
        sides = SIDES if store.arrays["has_wrong"][rows].any() else SIDES - 1  # the third side of the others is empty
        if known is not None:
            embedded = known[batch[0]][rows, :sides].float()
        else:
            piece = draw_piece(store, config.sampling, 1_000_003 * config.seed + step)
            embedded = embed_maps(_train(model), store, rows, sides, piece)
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
        draws=RowsOfStores(
            stores,
            config.sampling.batch_size,
            steps=config.steps,
            seed=config.seed,
            mode_shares=config.sampling.mode_shares,
        ),
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


@torch.no_grad()
def embed_store(model: CocolaModel, store: MapStore) -> Tensor:
    """Return the embeddings of all pairs of a store and their wrong accompaniments, in float16: (N, 3, D)."""
    parts = np.array_split(np.arange(store.count), -(-store.count // PAIRS_AT_ONCE))
    return torch.cat([embed_maps(model, store, rows).half() for rows in parts])


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
    """Return the similarities of each conditioning with all accompaniments of its mode, then with its n wrong ones.

    Shape:
        (K, 2 or 3, D), (K,) -> (K, K + n).
    """
    conditioning, accompaniment, *wrong = embedded.unbind(1)
    modes = torch.from_numpy(store.modes(rows))
    other_mode = modes[:, None] != modes[None, :]
    columns = [model.similarity.matrix(conditioning, accompaniment).masked_fill(other_mode, float("-inf"))]
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
        *options.maps,
        start_from=options.start_from,
        head=options.head,
        keep=options.keep,
        minutes=options.minutes,
    )

"""Train a COCOLA encoder: python -m cocola_metric.training.train CONFIG --corpus DIR --out DIR."""

import argparse
import csv
import ctypes
import dataclasses
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from cocola_metric import functional, hub
from cocola_metric.model import MODES, CocolaModel, select_mode

from .config import TrainingConfig, load_config
from .corpora import index_stem_folder
from .pairs import PairFeatures, PairStore

VALIDATION_PAIRS = 640
STEPS_BETWEEN_CHECKPOINTS = 500
CALIBRATION_BATCHES = 40


def train(
    config: TrainingConfig,
    corpus: Path,
    out: Path,
    *,
    start_from: str | None = None,
    workers: int = 2,
    device: str = "cpu",
) -> CocolaModel:
    """Train an encoder on ``corpus/train``, watching ``corpus/validation``; goes on from a checkpoint in ``out``.

    A new run starts from random weights, or from those that ``start_from`` names (as for ``hub.load``).
    Writes ``log.csv``, ``training.json`` (the resolved configuration), ``checkpoint.pt``, and at the end
    ``config.json`` and ``model.safetensors`` in float16.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "training.json").write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")
    store = _open_store(config, corpus / "train", out / "pairs", config.pairs, config.seed, workers)
    validation = _open_store(
        config, corpus / "validation", out / "validation", VALIDATION_PAIRS, config.seed + 1, workers
    )

    torch.manual_seed(config.seed)
    model = CocolaModel(config.encoder)
    if start_from is not None:
        model.load_state_dict(hub.load(start_from).model.state_dict())
    model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(
        [
            {"params": model.encoder.parameters(), "lr": config.learning_rate},
            {"params": model.similarity.parameters(), "lr": config.similarity_learning_rate},
        ]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, config))
    done = _resume(out / "checkpoint.pt", model, optimizer, schedule)
    batches = store.batches(config.batch_size, window=config.window, max_overlap=config.max_overlap, seed=config.seed)
    log = _Log(out / "log.csv", done)
    progress = tqdm(range(config.steps), initial=done, desc="training", unit="step")
    for step, batch in zip(range(config.steps), batches, strict=False):
        if step < done:
            continue  # the order of batches is part of the seed
        model.train()
        loss, accuracy = train_step(model, torch.from_numpy(store.features[batch]).to(device), config, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        progress.update()
        progress.set_postfix(loss=f"{loss.item():.3f}", accuracy=f"{accuracy:.2f}")
        row = {"step": step + 1, "loss": loss.item(), "accuracy": accuracy}
        if (step + 1) % STEPS_BETWEEN_CHECKPOINTS == 0 or step + 1 == config.steps:
            row |= validate(model, validation, config, device)
            _save_checkpoint(out / "checkpoint.pt", step + 1, model, optimizer, schedule)
        log.write(row)
    calibrate_batch_norm(model, store, config, device)
    print(json.dumps(validate(model, validation, config, device)), file=sys.stderr)
    hub.save(model, out, dtype=torch.float16)
    return model.eval()


def train_step(model: CocolaModel, features: Tensor, config: TrainingConfig, step: int) -> tuple[Tensor, float]:
    """Return loss (Eq. 3) and accuracy (Eq. 8) of a batch of pairs.

    After the first short steps, each pair is heard in a mode drawn from ``config.mode_shares``; pairs of different
    modes are no negatives of each other, since an empty channel would give the answer away.

    Shape:
        features (K, 2, C, M, F).
    """
    rng = np.random.default_rng([config.seed, step])
    if step < config.short_steps:
        frames = round(features.shape[-1] * config.short_window / config.window)
        first = int(rng.integers(features.shape[-1] - frames + 1))
        heard, modes = features[..., first : first + frames].float(), np.zeros(len(features), int)
    else:
        heard, modes = _in_drawn_modes(features, config, rng)
    similarities = _similarities(model, heard, config)
    other_mode = torch.from_numpy(modes[:, None] != modes[None, :]).to(similarities.device)
    similarities = similarities.masked_fill(other_mode, float("-inf"))
    return functional.contrastive_loss(similarities), functional.accuracy(similarities.detach()).item()


@torch.no_grad()
def calibrate_batch_norm(model: CocolaModel, store: PairStore, config: TrainingConfig, device: str) -> None:
    """Replace the running statistics of every BatchNorm by plain averages over batches as the encoder will hear them.

    Running statistics trail behind weights that change, and know the short pieces of the short steps only.
    """
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    rng = np.random.default_rng([config.seed, config.steps])
    for first in range(0, min(len(store.features), CALIBRATION_BATCHES * config.batch_size), config.batch_size):
        batch = torch.from_numpy(store.features[first : first + config.batch_size])
        heard, _ = _in_drawn_modes(batch.to(device), config, rng)
        _similarities(model, heard, config)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


@torch.inference_mode()
def validate(model: CocolaModel, store: PairStore, config: TrainingConfig, device: str) -> dict[str, float]:
    """Return loss and accuracy (K of training, and K = 2) on the validation pairs."""
    model.eval()
    batches = torch.from_numpy(store.features[:]).float().split(config.batch_size)
    similarities = torch.stack([_similarities(model, batch.to(device), config).cpu() for batch in batches])
    diagonal_blocks = torch.cat([similarities[:, k : k + 2, k : k + 2] for k in range(0, config.batch_size - 1, 2)])
    return {
        "validation_loss": float(np.mean([functional.contrastive_loss(matrix).item() for matrix in similarities])),
        "validation_accuracy": functional.accuracy(similarities).mean().item(),
        "validation_accuracy_of_2": functional.accuracy(diagonal_blocks).mean().item(),
    }


def learning_rate_factor(step: int, config: TrainingConfig) -> float:
    """Return the learning rate of a step relative to ``config.learning_rate``: linear warm-up, then a cosine to 0."""
    if config.warmup_steps == 0:
        return 1.0
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def _in_drawn_modes(
    features: Tensor, config: TrainingConfig, rng: np.random.Generator
) -> tuple[Tensor, NDArray[np.int64]]:
    """Let each pair be heard in a mode drawn for it: features (K, 2, C, M, F), and the numbers of the modes (K,)."""
    shares = config.mode_shares if features.shape[2] == 2 else (1.0, 0.0, 0.0)
    modes = rng.choice(len(MODES), size=len(features), p=np.asarray(shares) / sum(shares))
    heard = [select_mode(pair, MODES[mode]) for pair, mode in zip(features.float(), modes, strict=True)]
    return torch.stack(heard), modes


def _similarities(model: CocolaModel, features: Tensor, config: TrainingConfig) -> Tensor:
    submixes = features.flatten(0, 1).contiguous(memory_format=torch.channels_last)  # (2 K, C, M, F)
    with torch.autocast(submixes.device.type, torch.bfloat16, enabled=config.bfloat16):
        pooled = model.encoder.backbone(submixes)
    embeddings = model.encoder.project(pooled.float()).unflatten(0, (-1, 2))
    similarities: Tensor = model.similarity.matrix(embeddings[:, 0], embeddings[:, 1])
    return similarities


def _open_store(config: TrainingConfig, corpus: Path, folder: Path, count: int, seed: int, workers: int) -> PairStore:
    dataset = PairFeatures(
        index_stem_folder(corpus),
        count,
        front_end=config.encoder.front_end,
        seed=seed,
        window=config.window,
        noise=config.noise,
    )
    return PairStore(folder, dataset, workers=workers)


def _save_checkpoint(
    path: Path,
    step: int,
    model: CocolaModel,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
) -> None:
    partial = path.with_suffix(".partial")
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "random": torch.get_rng_state(),
    }
    torch.save(state, partial)
    partial.replace(path)


def _resume(
    path: Path, model: CocolaModel, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["random"])
    return int(state["step"])


class _Log:
    """One CSV line a step; a resumed run cuts off what its checkpoint does not know of."""

    columns = (
        "step",
        "loss",
        "accuracy",
        "validation_loss",
        "validation_accuracy",
        "validation_accuracy_of_2",
        "seconds",
    )

    def __init__(self, path: Path, done: int) -> None:
        kept = path.read_text().splitlines()[1 : done + 1] if path.exists() else []
        path.write_text("\n".join([",".join(self.columns), *kept]) + "\n")
        self.path, self.started = path, time.monotonic()

    def write(self, row: dict[str, float]) -> None:
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row | {"seconds": round(time.monotonic() - self.started, 1)})


def keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks: handing them back to the system, and getting them zeroed again, costs a lot."""
    if sys.platform == "linux":
        m_trim_threshold, m_mmap_max = -1, -4
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(m_mmap_max, 0)
            libc.mallopt(m_trim_threshold, -1)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m cocola_metric.training.train", description=__doc__)
    parser.add_argument("config", type=Path, help="TOML file of what differs from the paper")
    parser.add_argument("--corpus", type=Path, required=True, help="folder with train/ and validation/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an earlier run in it goes on")
    parser.add_argument("--start-from", help="weights to begin with: known name, folder or .ckpt file")
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare pairs")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    train(
        load_config(options.config),
        options.corpus,
        options.out,
        start_from=options.start_from,
        workers=options.workers,
        device=options.device,
    )


if __name__ == "__main__":
    main()

"""Training of a small CompoNet from random weights, in three stages.

The stages are the VAE, the U-Net with the embeddings of tags (without an input mix), and the adapter. Each has a folder
of its own in --out; a finished stage is not done again. The model is in OUT/model.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...runs import build_settings, pop_table, read_settings
from ..small_files import ADAPTER_FILE, SmallShape
from . import train as train_componet
from .config import LoopConfig, SmallConfig, config_of
from .stages import ADAPTER, BASE, MODEL, VAE, Stages


def train(
    config: SmallConfig,
    out: Path,
    *,
    cache: Path | None = None,
    minutes: float | None = None,
    workers: int = 2,
    cpu: bool = False,
) -> Path:
    """Train all stages that are not over; return the folder of the model.

    Args:
        config: settings of the run.
        out: folder of the run.
        cache: folder of the decoded corpora, which several runs can share.
        minutes: time for training all stages, in minutes, without their preparation.
        workers: number of processes that decode stems and draw batches.
        cpu: choice of the CPU even if there is a GPU.
    """
    accelerator = train_componet.make_accelerator(config.componet.loop, cpu=cpu)
    music = train_componet.open_music(config.componet.corpora, cache or out / "bank", accelerator, workers=workers)
    vocabulary = sorted({tag for one in music.tracks for tag in one.tags})
    familiar = [one for one in music.watched_tracks if set(one.tags) <= set(vocabulary)]
    music = dataclasses.replace(music, watched_tracks=familiar)
    finished = [out / VAE / "vae.safetensors", out / BASE / "small.json", out / MODEL / ADAPTER_FILE]
    left = [share for share, file in zip(config.shares, finished, strict=True) if not file.is_file()]
    budget = None if minutes is None else minutes * sum(left)
    run = Stages(config, out, accelerator, music, tuple(vocabulary), workers)
    stages = {VAE: run.train_vae, "unet": run.train_unet, ADAPTER: run.train_adapter}
    for (name, train_stage), share, file in zip(stages.items(), config.shares, finished, strict=True):
        if file.is_file():
            continue
        rest = None if budget is None else (budget - run.minutes) * share / sum(left)
        print(f"{name}: {'' if rest is None else f'{rest:.1f} minutes'}", file=sys.stderr)
        train_stage(rest)
        left.remove(share)
        accelerator.wait_for_everyone()
    return out / MODEL


def load_config(path: Path, changes: Sequence[str] = ()) -> SmallConfig:
    """Read a TOML file with the tables [small], [vae] and [unet], and the settings of `CompoNetConfig`.

    Args:
        path: file to read.
        changes: settings in place of the file's, as ``vae.steps=100``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key is no setting, or a change is no TOML.
    """
    values = read_settings(path, changes)
    small = pop_table(values, "small", path)
    own: dict[str, Any] = {name: small.pop(name) for name in ("shares", "vae_batch_size") if name in small}
    parts = {name: build_settings(LoopConfig, pop_table(values, name, path), path) for name in (VAE, "unet")}
    shape = build_settings(SmallShape, small, path)
    return build_settings(SmallConfig, {"componet": config_of(values, path), "shape": shape, **own, **parts}, path)


def run(options: argparse.Namespace) -> None:
    """Train with the options of the command; print the folder and the size of the model."""
    config = load_config(options.config, options.set)
    if options.corpus:
        componet = dataclasses.replace(config.componet, corpora=tuple(options.corpus))
        config = dataclasses.replace(config, componet=componet)
    model = train(
        config,
        options.out,
        cache=options.cache,
        minutes=options.minutes,
        workers=options.workers,
        cpu=options.cpu,
    )
    print(json.dumps({"model": str(model), "bytes": sum(_sizes(model))}))


def _sizes(folder: Path) -> Iterator[int]:
    return (file.stat().st_size for file in folder.iterdir() if file.is_file())

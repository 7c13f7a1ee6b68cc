"""An encoder joined with the phasors of a head that was trained on its trunk."""

import argparse
import dataclasses
import math
import sys
from pathlib import Path

import torch

from cocola_metric import checkpoints
from cocola_metric.encoder import CocolaModel, PhasorEfficientNet, real_width
from cocola_metric.errors import UsageError

from .judging import MEASURES, judge
from .starts import load_head

SHARES = (0.125, 0.25, 0.5, 1.0, 2.0)
JUDGED = tuple(measure for measure in MEASURES if measure != "among_8")
"""Accuracies whose mean chooses the share; that among 8 says little beside those among 2 and among 16."""
BACKBONES = {f"{kind}_efficientnet_b0": f"placed_{kind}_efficientnet_b0" for kind in ("phasor", "wide_phasor")}


def load_any(name: str, trunk: CocolaModel) -> CocolaModel:
    """Load an encoder, or a head without its trunk.

    Args:
        name: known name, folder or .ckpt file, or folder of a head.
        trunk: encoder with the trunk of the head.
    """
    folder = Path(name)
    config = folder / checkpoints.CONFIG_FILE
    if config.exists() and checkpoints.read_config(config).backbone in BACKBONES:
        return load_head(folder, trunk)
    return checkpoints.load(name).model


def without_phasors(encoder: CocolaModel) -> CocolaModel:
    """Return an encoder as it was before phasors and a verdict were added; one without them is returned itself."""
    config = encoder.config
    if not config.backbone.startswith("placed_") or not isinstance(encoder.encoder.backbone, PhasorEfficientNet):
        return encoder
    plain = dataclasses.replace(
        config,
        backbone="placed_efficientnet_b0",
        similarity="bilinear",
        embedding_dim=real_width(config.similarity, config.embedding_dim),
    )
    bare = CocolaModel(plain)
    kept, state = bare.state_dict(), encoder.state_dict()
    bare.load_state_dict({name: state[name] for name in kept})
    return bare.eval()


def join_head(encoder: CocolaModel, head: CocolaModel, share: float) -> CocolaModel:
    """Return an encoder whose similarity is that of one, plus a share of the phasors' similarity of another.

    Args:
        encoder: encoder of backbone ``placed_efficientnet_b0`` with a bilinear similarity, which becomes the real part;
            of one with phasors they are left out.
        head: encoder of backbone ``phasor_efficientnet_b0``, trained on the same trunk; its own real part is left out.
        share: factor of the phasors' part of the similarity.

    Raises:
        UsageError: one of the two is of another kind.
    """
    encoder = without_phasors(encoder)
    first, second = encoder.config, head.config
    if first.backbone != "placed_efficientnet_b0" or first.similarity != "bilinear" or second.backbone not in BACKBONES:
        raise UsageError(
            f"an encoder of {first.backbone!r}, {first.similarity!r} and a head of {second.backbone!r} "
            "cannot be joined; pass one of 'placed_efficientnet_b0', 'bilinear', and one of 'phasor_efficientnet_b0'"
        )
    width = first.embedding_dim + head.encoder.phasor_width
    config = dataclasses.replace(
        first, backbone=BACKBONES[second.backbone], similarity=second.similarity, embedding_dim=width
    )
    joined = CocolaModel(config)
    state = encoder.state_dict() | {
        name: tensor
        for name, tensor in head.state_dict().items()
        if "phasors." in name or name.startswith("similarity.f")
    }
    joined.load_state_dict(state)
    with torch.no_grad():
        for name, parameter in joined.similarity.named_parameters():
            if name.endswith("log_temperature"):
                parameter.add_(math.log(share))
    return joined.eval()


def choose_share(encoder: CocolaModel, head: CocolaModel, maps: Path) -> tuple[CocolaModel, float]:
    """Return the joined encoder with the best mean accuracy on validation windows, and its share.

    The windows are heard as they are, and, where there are maps of that, treated as those of training.
    """
    best: tuple[float, CocolaModel, float] | None = None
    for share in SHARES:
        joined = join_head(encoder, head, share)
        measures = judge(joined, maps)
        means = []
        for treatment, measured in measures.items():
            known = {name: measured[name] for name in JUDGED if name in measured}
            print(
                f"{share:5.3f} of the phasors, {treatment}:",
                *(f"{name} {100 * value:.1f}" for name, value in known.items()),
                file=sys.stderr,
            )
            means.append(sum(known.values()) / len(known))
        mean = sum(means) / len(means)
        if best is None or mean > best[0]:
            best = mean, joined, share
    assert best is not None  # there are shares
    return best[1:]


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    encoder = checkpoints.load(options.encoder).model
    if options.head is None:
        checkpoints.save(without_phasors(encoder), options.out, dtype=torch.float16)
        return
    head = load_head(options.head, encoder)
    if (options.maps is None) == (options.share is None):
        raise UsageError("the share is chosen on maps, or given: pass either --maps or --share")
    joined, share = (
        choose_share(encoder, head, options.maps)
        if options.share is None
        else (join_head(encoder, head, options.share), options.share)
    )
    checkpoints.save(joined, options.out, dtype=torch.float16)
    print(f"{options.out}: {share} of the phasors", file=sys.stderr)

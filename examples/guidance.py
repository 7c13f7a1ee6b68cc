"""Guidance: the score as a loss. Steps along its gradient make a noisy stem fit; `python examples/guidance.py`."""

import argparse
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from cocola_metric import checkpoints, examples
from cocola_metric.audio import SAMPLE_RATE, read_audio

WINDOW = 5 * SAMPLE_RATE


def guide(conditioning: Tensor, start: Tensor, *, steps: int, weight: float) -> tuple[Tensor, list[float]]:
    """Change a waveform so that it fits, without leaving it far behind; return it, and the score at every step.

    The loss is that of a generator with guidance: its own term, here the distance from where it was, and the score.
    Evaluate what comes out with another encoder than the one that guided it, and listen.

    Args:
        conditioning: waveform to fit, at 16 kHz.
        start: waveform to change.
        steps: number of steps.
        weight: weight of the score in the loss.

    Shape:
        (1, L), (1, L) -> (1, L).
    """
    encoder = checkpoints.load("embedded").model.requires_grad_(False)  # in evaluation mode, as loaded
    waveform, scores = start.clone().requires_grad_(), []
    for _ in range(steps):
        score = encoder(conditioning, waveform).mean()
        scores.append(score.item())
        loss = (waveform - start).square().mean() - weight * score
        (gradient,) = torch.autograd.grad(loss, waveform)
        step = 0.002 * gradient / gradient.square().mean().sqrt()  # of one length, 54 dB below full scale
        waveform = (waveform - step).detach().requires_grad_()
    with torch.no_grad():
        scores.append(encoder(conditioning, waveform).mean().item())
    return waveform.detach(), scores


def main(arguments: list[str] | None = None) -> None:
    """Print the score of the noisy keys of an example song at every step, and write the result if asked to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--out", type=Path, help="WAV file for the result")
    options = parser.parse_args(arguments)
    songs = examples()
    sides = [torch.as_tensor(read_audio(side))[None] for side in (songs.conditioning, songs.accompaniment)]
    conditioning, keys = (side[:, 2 * SAMPLE_RATE : 2 * SAMPLE_RATE + WINDOW] for side in sides)
    noisy = keys + 0.05 * torch.randn(keys.shape, generator=torch.Generator().manual_seed(0))
    guided, scores = guide(conditioning, noisy, steps=options.steps, weight=options.weight)
    print(" ".join(f"{score:.2f}" for score in scores))
    if options.out:
        soundfile.write(options.out, guided[0].numpy(), SAMPLE_RATE)


if __name__ == "__main__":
    main()

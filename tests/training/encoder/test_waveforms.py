"""Heard batches: what is done to the windows of one track is done to all of them alike."""

import numpy as np
import torch

from cocola_metric.training.corpora.bank import BLOCK, BankTrack, StemBank
from cocola_metric.training.encoder.batches import Draws
from cocola_metric.training.encoder.config import SamplingConfig
from cocola_metric.training.encoder.waveforms import hear

RATE, SECONDS, TRACKS, HERTZ = 16_000, 20, 3, 400.0


def tones() -> StemBank:
    """Return a bank of tracks, each of two stems with one tone."""
    length = RATE * SECONDS
    tone = torch.sin(2 * torch.pi * HERTZ * torch.arange(length) / RATE)
    stem = (0.25 * 2**15 * tone).to(torch.int16)
    powers = np.full((2, length // BLOCK), 0.03, np.float32)
    tracks = [BankTrack(f"track{number}", 2 * number * length, length, powers, 0.5) for number in range(TRACKS)]
    return StemBank([stem.repeat(2 * TRACKS)], tracks)


def test_windows_of_a_track_are_played_alike_fast() -> None:
    config = SamplingConfig(window=2.0, batch_size=12, windows_per_track=4, noise=0.0, fastest=1.25)
    bank = tones()
    draw = Draws(bank.tracks, config, steps=1, seed=0)[0]
    heard, _ = hear(bank, draw, config)
    hertz = heard.flatten(0, 1).diff(dim=-1).sign().diff(dim=-1).ne(0).sum(-1).view(12, 2) / 4.0  # two turns a period
    by_track = [hertz[draw.tracks == track].flatten() for track in draw.tracks.unique()]
    assert all((found.max() - found.min()) / found.mean() < 0.005 for found in by_track)
    means = torch.stack([found.mean() for found in by_track])
    assert means.max() / means.min() > 1.05, "tracks have speeds of their own"

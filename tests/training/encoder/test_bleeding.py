"""Bleed in batches: the stems bleed as if their files did, on both sides, seeded, and off by default."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import RATE, write_corpus

from cocola_metric.errors import UsageError
from cocola_metric.training.corpora import NO_STEM, StemBank, open_banks
from cocola_metric.training.encoder.batches import Draw, Draws
from cocola_metric.training.encoder.config import SamplingConfig
from cocola_metric.training.encoder.waveforms import hear
from cocola_metric.training.signal import BLEEDS, bleed_stems

CONFIG = SamplingConfig(window=1.0, batch_size=8, noise=0.0, levels="raw")
FIXED = {"bleed": 1.0, "bleed_db": (-12.0, -12.0)}


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> StemBank:
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"))
    return open_banks([str(corpus)], "train", tmp_path_factory.mktemp("cache"), workers=0)[0]


def heard(bank: StemBank, step: int = 0, **settings) -> tuple[Draw, torch.Tensor]:
    config = dataclasses.replace(CONFIG, **settings)
    draw = Draws(bank.tracks, config, steps=10, seed=0)[step]
    return draw, hear(bank, draw, config)[0]


def bled_bank(bank: StemBank, level: float) -> StemBank:
    """The same music in stems that bleed, as files of such stems would be decoded."""
    samples = bank.arrays[0].clone()
    for track in bank.tracks:
        rows = slice(track.first, track.first + len(track.powers) * track.length)
        stems = samples[rows].view(len(track.powers), -1).float()
        samples[rows] = bleed_stems(stems, torch.full((len(stems),), level)).round().short().view(-1)
    return StemBank([samples], bank.tracks)


def test_by_default_nothing_bleeds(bank: StemBank) -> None:
    draw, waveforms = heard(bank)
    assert torch.equal(waveforms, bank.gather(draw.offsets[:, :2], draw.length))
    loud, bled = heard(bank, **FIXED)
    assert all(torch.equal(*map(torch.as_tensor, pair)) for pair in zip(draw, loud, strict=True))  # the same music
    assert (bled - waveforms).abs().amax(-1).gt(1e-4).float().mean() > 0.9


@pytest.mark.parametrize("alteration", ["none", "shift"])
def test_a_batch_that_bleeds_is_one_of_a_corpus_that_bleeds(bank: StemBank, alteration: str) -> None:
    """Wrong accompaniments too: a stem that comes late brings what has leaked into it."""
    altered = {"alterations": {} if alteration == "none" else {alteration: 1.0}}
    _, on_the_fly = heard(bank, **FIXED, **altered)
    _, from_files = heard(bled_bank(bank, -12.0), **altered)
    torch.testing.assert_close(on_the_fly, from_files, atol=3 / 2**15, rtol=0)  # their samples are rounded


def test_levels_are_drawn_from_the_range_and_differ(bank: StemBank) -> None:
    levels = []
    for step in range(10):
        clean, bled = (heard(bank, step, single_stem=True, **settings) for settings in ({}, {"bleed": 1.0}))
        draw, length = clean[0], clean[0].length
        for row, side in np.ndindex(CONFIG.batch_size, 2):
            place = draw.offsets[row, side]
            stem, whole = (
                bank.gather(torch.as_tensor(places)[None], length)[0]
                for places in (place, bank.track_at(int(place[0])))
            )
            leaked, others = bled[1][row, side] - stem, whole - stem
            levels.append(10 * float((leaked.square().mean() / others.square().mean()).log10()))
    assert -30 - 1e-3 <= min(levels) < -28 and -12 < max(levels) <= -10 + 1e-3
    assert len(set(np.round(levels, 2))) > 100


@pytest.mark.parametrize("kind", BLEEDS)
def test_bleed_is_seeded(bank: StemBank, kind: str) -> None:
    settings = {"bleed": 0.5, "foreign_bleed": 0.5, "bleed_as": kind}
    once, again = (heard(bank, 3, **settings)[1] for _ in range(2))
    assert torch.equal(once, again) and once.isfinite().all()
    changed = (once != heard(bank, 3)[1]).any(-1).any(-1)
    assert 0 < changed.float().mean() <= 1


def test_a_share_of_the_windows_bleeds(bank: StemBank) -> None:
    changed = [
        (heard(bank, step, bleed=0.3)[1] != heard(bank, step)[1]).any(-1).any(-1).float().mean() for step in range(10)
    ]
    assert 0.15 < float(np.mean(changed)) < 0.45


def test_foreign_bleed_is_another_track_of_the_batch(bank: StemBank) -> None:
    draw, bled = heard(bank, foreign_bleed=1.0, bleed_db=(-20.0, -20.0))
    _, clean = heard(bank)
    first = [int(draw.offsets[row, 0, 0]) for row in range(CONFIG.batch_size)]
    mixes = torch.stack([bank.gather(torch.from_numpy(bank.track_at(place))[None], RATE)[0] for place in first])
    for row, side in np.ndindex(CONFIG.batch_size, 2):
        leaked = 10 * (bled[row, side] - clean[row, side])
        found = [other for other in range(len(mixes)) if torch.allclose(leaked, mixes[other], atol=1e-5)]
        assert found and all(draw.tracks[other] != draw.tracks[row] for other in found)


def test_a_place_in_the_bank_leads_to_its_track(bank: StemBank) -> None:
    for track in StemBank.join([bank, bank], "cpu").tracks:
        for stem in track.offsets(123).tolist():
            assert StemBank.join([bank, bank], "cpu").track_at(stem).tolist() == track.offsets(123).tolist()
    assert NO_STEM < 0


def test_settings_of_bleed_that_make_no_sense() -> None:
    for wrong in ((-10.0, -30.0), (-10.0, 3.0)):
        with pytest.raises(UsageError, match=r"bleed_db must be two levels of at most 0 dB, the lowest first"):
            SamplingConfig(bleed_db=wrong)
    with pytest.raises(UsageError, match="bleed_as must be one of plain, room, separator; got 'wet'"):
        SamplingConfig(bleed_as="wet")
    assert SamplingConfig(bleed=0.5, foreign_bleed=0.5, noise=1e-3).untreated() == SamplingConfig(noise=1e-3)


def test_settings_are_read_from_toml(tmp_path: Path) -> None:
    from cocola_metric.training.encoder.config import load_config

    file = tmp_path / "bleed.toml"
    file.write_text('[sampling]\nbleed = 0.7\nbleed_db = [-24, -12]\nbleed_as = "separator"\n')
    assert load_config(file).sampling == SamplingConfig(bleed=0.7, bleed_db=(-24, -12), bleed_as="separator")

"""Banks and batches: stems come back as they were, draws keep the promises of section 3.1 and of the settings."""

import dataclasses
import hashlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_corpus import RATE, write_corpus

from cocola_metric.errors import AudioError, UsageError
from cocola_metric.training.corpora import bank as banks
from cocola_metric.training.corpora.bank import BLOCK, NO_STEM, BankTrack, StemBank, open_banks
from cocola_metric.training.encoder import batches
from cocola_metric.training.encoder.batches import KINDS, LEVEL_RANGE_DBFS, Draws
from cocola_metric.training.encoder.config import SamplingConfig, TrainingConfig, load_config
from cocola_metric.training.encoder.waveforms import hear
from cocola_metric.training.signal.sampling import level_db, overlap_ratio

CONFIG = SamplingConfig(window=1.0, batch_size=8)
CONFIGS = Path(batches.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def bank(corpus: Path, tmp_path_factory) -> StemBank:
    return open_banks([str(corpus)], "train", tmp_path_factory.mktemp("cache"), workers=0)[0]


def test_a_track_of_a_blink_is_read_and_never_drawn(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", tracks=2)
    for stem in ("low", "high"):
        (corpus / "train" / "blink").mkdir(exist_ok=True)
        soundfile.write(corpus / "train" / "blink" / f"{stem}.wav", np.full(4_800, 0.1), RATE)
    (bank,) = open_banks([str(corpus)], "train", tmp_path / "cache", workers=0)
    (blink,) = (track for track in bank.tracks if track.name == "blink")
    drawn = Draws(bank.tracks, CONFIG, steps=10, seed=0)
    offsets = torch.cat([drawn[step].offsets.flatten() for step in range(10)])
    inside = (offsets >= blink.first) & (offsets < blink.first + len(blink.powers) * blink.length)
    assert blink.beat > 0 and not inside.any()


def draws(bank: StemBank, seed: int = 0, steps: int = 40, **settings) -> Draws:
    return Draws(bank.tracks, dataclasses.replace(CONFIG, **settings), steps=steps, seed=seed)


def test_a_bank_holds_the_stems(corpus: Path, bank: StemBank) -> None:
    track = bank.tracks[2]
    for number, name in enumerate(("drums", "high", "low")):
        stored = bank.arrays[0][track.offsets(0)[number] :][: 8 * RATE].float() / 2**15
        written, _ = soundfile.read(corpus / "train" / "track2" / f"{name}.flac", dtype="float32")
        assert np.abs(stored.numpy() - written).max() < 1e-4
        assert track.power(RATE, RATE)[number] == pytest.approx(np.square(written[RATE : 2 * RATE]).mean(), rel=1e-2)


def test_sub_mixes_are_sums_and_rows_may_be_of_different_lengths(bank: StemBank) -> None:
    first, second, third = bank.tracks[0].offsets(RATE).tolist()
    mixed = bank.gather(torch.tensor([[first, second, third], [second, NO_STEM, NO_STEM]]), 100)
    stems = torch.stack([bank.arrays[0][place : place + 100].float() / 2**15 for place in (first, second, third)])
    assert torch.allclose(mixed, torch.stack([stems.sum(0), stems[1]]), atol=1e-6)


def test_banks_can_be_joined(bank: StemBank) -> None:
    joined = StemBank.join([bank, bank], "cpu")
    assert len(joined.tracks) == 2 * len(bank.tracks)
    copy, original = joined.tracks[len(bank.tracks) + 1], bank.tracks[1]
    place = torch.from_numpy(copy.offsets(7)[None])
    assert torch.equal(joined.gather(place, 50), bank.gather(torch.from_numpy(original.offsets(7)[None]), 50))


def test_a_damaged_track_is_named_and_left_out(tmp_path: Path, caplog) -> None:
    corpus = write_corpus(tmp_path / "corpus", tracks=2, seconds=2.0)
    tracks = banks.open_corpora([str(corpus)], "train")
    (corpus / "train" / "track0" / "low.flac").write_bytes(b"fLaC and nothing more")
    with caplog.at_level(logging.WARNING):
        banks.build_bank(tmp_path / "bank", tracks, workers=0)
    assert "low.flac" in caplog.text and "1 of 2 tracks left out" in caplog.text
    opened = banks.open_bank(tmp_path / "bank", list, workers=0)
    assert [track.name for track in opened.tracks] == ["track1"]
    (corpus / "train" / "track1" / "low.flac").write_bytes(b"")
    with pytest.raises(AudioError, match="none of 2 tracks could be read"):
        banks.build_bank(tmp_path / "again", tracks, workers=0)


def test_of_two_runs_that_share_a_cache_one_decodes(tmp_path: Path, caplog, monkeypatch) -> None:
    corpus = write_corpus(tmp_path / "corpus", tracks=2, seconds=2.0)
    begun, waited_for = threading.Event(), threading.Event()
    decode, decoded = banks.build_bank, []

    def slowly(*arguments, **options) -> None:
        begun.set()
        assert waited_for.wait(60)
        decoded.append(arguments)
        decode(*arguments, **options)

    class Waiting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            waited_for.set()

    monkeypatch.setattr(banks, "build_bank", slowly)
    monkeypatch.setattr(banks.logger, "handlers", [Waiting()])
    with ThreadPoolExecutor() as runs:
        first = runs.submit(open_banks, [str(corpus)], "train", tmp_path / "cache", workers=0)
        assert begun.wait(60)
        second = runs.submit(open_banks, [str(corpus)], "train", tmp_path / "cache", workers=0)
        tracks = [[track.name for track in run.result()[0].tracks] for run in (first, second)]
    assert tracks == [["track0", "track1"]] * 2 and len(decoded) == 1
    assert "waiting for another run" in caplog.text


def test_a_draw_depends_on_seed_and_step_only(bank: StemBank) -> None:
    first, again, other = draws(bank)[7], draws(bank)[7], draws(bank)[8]
    assert all(np.array_equal(np.asarray(one), np.asarray(two)) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first.starts, other.starts)
    heard, once_more = (hear(bank, first, CONFIG)[0] for _ in range(2))
    assert torch.equal(heard, once_more) and heard.shape == (8, 2, RATE)


def test_the_noise_and_the_levels_are_those_asked_for(bank: StemBank) -> None:
    draw = draws(bank)[0]
    clean, noisy = (hear(bank, draws(bank, noise=noise)[0], CONFIG)[0] for noise in (0.0, 1e-3))
    assert (noisy - clean).std().item() == pytest.approx(1e-3, rel=0.02)
    assert np.allclose(level_db(clean.numpy()), draw.levels, atol=0.01)
    assert LEVEL_RANGE_DBFS[0] <= draw.levels.min() and draw.levels.max() <= LEVEL_RANGE_DBFS[1]


def test_raw_levels_are_those_of_the_files(bank: StemBank) -> None:
    raw = draws(bank, noise=0.0, levels="raw")
    for step in range(5):
        draw = raw[step]
        assert torch.equal(draw.offsets, draws(bank, noise=0.0)[step].offsets)  # the same music is drawn
        heard, _ = hear(bank, draw, raw.config)
        assert torch.equal(heard, bank.gather(draw.offsets[:, :2], draw.length))


def test_the_noise_of_the_authors_is_on_the_accompaniment_alone(bank: StemBank) -> None:
    quiet, noisy = (draws(bank, levels="raw", noise=noise, noisy_sides="accompaniment") for noise in (0.0, 1e-3))
    difference = hear(bank, noisy[0], noisy.config)[0] - hear(bank, quiet[0], quiet.config)[0]
    assert not difference[:, 0].any()
    assert difference[:, 1].std().item() == pytest.approx(1e-3, rel=0.02)


@pytest.mark.parametrize("partition", ["window", "track"])
def test_single_stems(bank: StemBank, partition: str) -> None:
    """Figure 2: two distinct stems of each window."""
    pairs = set()
    for draw in map(draws(bank, single_stem=True, partition=partition).__getitem__, range(20)):
        assert ((draw.offsets[:, :2] != NO_STEM).sum(-1) == 1).all()
        pairs |= {(*stems_of(draw, bank, row, 0), *stems_of(draw, bank, row, 1)) for row in range(CONFIG.batch_size)}
    assert pairs == {(first, second) for first in range(3) for second in range(3) if first != second}


def test_sizes_follow_the_law_asked_for(bank: StemBank) -> None:
    def share_of_larger_first(subsets: str) -> float:
        drawn = [draws(bank, subsets=subsets)[step] for step in range(40)]
        sizes = torch.cat([(draw.offsets[:, :2] != NO_STEM).sum(-1) for draw in drawn])
        unequal = sizes[sizes[:, 0] != sizes[:, 1]]
        return (unequal[:, 0] > unequal[:, 1]).float().mean().item()

    assert share_of_larger_first("in_turn") == pytest.approx(2 / 3, abs=0.1)
    assert share_of_larger_first("even") == pytest.approx(1 / 2, abs=0.1)


@pytest.mark.parametrize(
    ("name", "digest"), [("embedded", "83c634be786888a1"), ("all", "b9b4d97d68213857"), ("phalar", "f72bedffa42ed67f")]
)
def test_what_is_drawn_for_our_encoders_stays(name: str, digest: str) -> None:
    """A draw is a function of bank, settings, seed and step: these are as when the published encoders were trained."""
    rng = np.random.default_rng(0)
    tracks = []
    for number in range(40):
        powers = rng.choice([1e-2, 1e-7], size=(4, 300), p=[0.8, 0.2]).astype(np.float32)
        powers = np.repeat(powers[:, ::20], 20, axis=1)
        tracks.append(BankTrack(f"track{number}", number * 1200 * BLOCK, 300 * BLOCK, powers, beat=0.5))
    config = load_config(CONFIGS / f"{name}.toml")
    drawn = Draws(tracks, config.sampling, steps=5, seed=config.seed)
    found = hashlib.sha256()
    for step in range(3):
        for value in drawn[step]:
            found.update(np.ascontiguousarray(np.asarray(value)).tobytes())
    assert found.hexdigest()[:16] == digest


def test_each_sub_mix_may_have_a_noise_of_its_own(bank: StemBank) -> None:
    draw = draws(bank, noise=1e-3, loudest_noise=1e-2)[0]
    assert draw.noises.shape == (8, 2) and len(draw.noises.unique()) == 16
    assert draw.noises.min() >= 1e-3 and draw.noises.max() <= 1e-2
    quiet = draw._replace(noises=torch.zeros_like(draw.noises))
    difference = hear(bank, draw, CONFIG)[0] - hear(bank, quiet, CONFIG)[0]
    assert torch.allclose(difference.std(-1), draw.noises, rtol=0.05)


@pytest.mark.parametrize("partition", ["window", "track"])
def test_windows_of_a_batch_keep_apart_and_sides_are_disjoint(bank: StemBank, partition: str) -> None:
    for draw in map(draws(bank, windows_per_track=2, partition=partition).__getitem__, range(20)):
        for row in range(8):
            sides = [set(side[side != NO_STEM].tolist()) for side in draw.offsets[row, :2]]
            assert all(sides) and not sides[0] & sides[1]
            for other in range(row):
                if draw.tracks[row] == draw.tracks[other]:
                    assert overlap_ratio(draw.starts[row].item() / RATE, draw.starts[other].item() / RATE, 1.0) <= 0.5
        assert (draw.tracks[::2] == draw.tracks[1::2]).float().mean() >= 0.5  # a track may have no second window free


def stems_of(draw, bank: StemBank, row: int, side: int) -> set[int]:
    """Which stems of its track a sub-mix is made of."""
    track = bank.tracks[draw.tracks[row]]
    places = draw.offsets[row, side]
    return {(place - track.first) // track.length for place in places[places != NO_STEM].tolist()}


def test_one_partition_per_track_keeps_a_stem_on_its_side(bank: StemBank) -> None:
    leaks = {"window": 0, "track": 0}
    for partition in leaks:
        for draw in map(draws(bank, windows_per_track=2, partition=partition).__getitem__, range(20)):
            for row in range(8):
                for other in range(8):
                    if row != other and draw.tracks[row] == draw.tracks[other]:
                        leaks[partition] += bool(stems_of(draw, bank, row, 0) & stems_of(draw, bank, other, 1))
    assert leaks["track"] == 0 < leaks["window"]  # drawn anew per window, a negative may share a stem


def test_silent_stems_are_not_drawn(tmp_path: Path) -> None:
    powers = np.full((3, 80), 1e-2, np.float32)
    powers[1] = 1e-6
    track = BankTrack("song", 0, 80 * BLOCK, powers, beat=0.5)
    silent = StemBank([torch.zeros(3 * 80 * BLOCK, dtype=torch.int16)], [track, track])
    for draw in map(draws(silent, batch_size=2).__getitem__, range(10)):
        assert all(1 not in stems_of(draw, silent, row, side) for row in range(2) for side in range(2))
    powers[2] = 1e-6
    message = r"train: 0 of the 2 windows of a batch were found in 2 tracks: windows of 1 s, in which two stems sound"
    with pytest.raises(AudioError, match=message):
        draws(silent, batch_size=2)[0]
    drawn = [draws(silent, batch_size=2, levels="raw", silent_stems=True)[step] for step in range(10)]
    heard = {
        stem for draw in drawn for row in range(2) for side in range(2) for stem in stems_of(draw, silent, row, side)
    }
    assert heard == {0, 1, 2}


def test_a_shifted_accompaniment_is_the_right_one_early_or_late(bank: StemBank) -> None:
    signs = set()
    for draw in map(draws(bank, alterations={"shift": 1.0}).__getitem__, range(10)):
        right, wrong = draw.offsets[:, 1], draw.offsets[:, 2]
        present = right != NO_STEM
        shift = (wrong - right)[present].abs()
        assert shift.min() >= 0.06 * RATE and shift.max() <= 0.6 * RATE
        signs |= set((wrong - right)[present].sign().tolist())
        assert hear(bank, draw, CONFIG)[0].shape == (8, 3, RATE)
    assert signs == {-1, 1}


def test_a_shift_on_the_beat_is_a_part_of_the_beat(bank: StemBank) -> None:
    tracks = [dataclasses.replace(track, beat=beat) for track, beat in zip(bank.tracks, (0.4, 0.6, 0.8), strict=False)]
    config = dataclasses.replace(CONFIG, alterations={"shift": 1.0}, shifts_on_beat=1.0)
    parts = set()
    for draw in map(Draws(tracks, config, steps=20, seed=0).__getitem__, range(20)):
        right, wrong = draw.offsets[:, 1, 0], draw.offsets[:, 2, 0]
        for row in (wrong != NO_STEM).nonzero()[:, 0].tolist():
            seconds = abs(int(wrong[row] - right[row])) / RATE
            parts.add(round(seconds / tracks[draw.tracks[row]].beat, 3))
    assert parts == {0.25, 0.5, 1.0}


def test_a_bank_knows_the_beat(tmp_path: Path) -> None:
    clicks = np.zeros(10 * RATE, np.float32)
    for beat in range(20):
        clicks[beat * RATE // 2 :][:400] = np.random.default_rng(beat).normal(0, 0.2, 400)
    folder = tmp_path / "train" / "song"
    folder.mkdir(parents=True)
    for name in ("left", "right"):
        soundfile.write(folder / f"{name}.flac", clicks, RATE)
    (track,) = open_banks([str(tmp_path)], "train", tmp_path / "cache", workers=0)[0].tracks
    assert track.beat == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", ["transpose", "stretch"])
def test_an_altered_pair_is_processed_alike_on_both_sides(bank: StemBank, kind: str, monkeypatch) -> None:
    """The right pair is in one version, the wrong accompaniment in the other, each in either for half of the rows."""
    from cocola_metric.training.encoder import waveforms as hearing

    seen: list[tuple[float, int]] = []
    fake = {
        "transpose": lambda waveforms, amount: seen.append((amount, len(waveforms))) or waveforms,
        "stretch": lambda waveforms, amount, length: seen.append((amount, len(waveforms))) or waveforms[:, :length],
    }
    monkeypatch.setattr(hearing, kind, fake[kind])
    drawn = draws(bank, alterations={kind: 1.0})
    for draw in map(drawn.__getitem__, range(10)):
        seen.clear()
        _, has_wrong = hear(bank, draw, CONFIG)
        assert has_wrong.all() and torch.equal(draw.offsets[:, 1], draw.offsets[:, 2])
        first, second = draw.versions.tolist()
        middle = (first + second) / 2
        assert middle == pytest.approx(0.0 if kind == "transpose" else 1.0, abs=1e-6)
        own = draw.own_version.tolist()
        assert [count for _, count in seen] == [2 * own.count(0) + own.count(1), 2 * own.count(1) + own.count(0)]
    differences = [abs(float(drawn[step].versions.diff())) for step in range(30)]
    low, high = (1, 6) if kind == "transpose" else (0.02, 0.08)
    assert low - 1e-6 <= min(differences) and max(differences) <= high + 1e-6


def test_altered_batches_come_as_often_as_asked(bank: StemBank) -> None:
    drawn = draws(bank, alterations={"shift": 0.5, "stretch": 0.2})
    kinds = [KINDS[drawn[step].alteration] for step in range(40)]
    assert 12 <= kinds.count("shift") <= 28 and kinds.count("transpose") == 0
    assert 2 <= kinds.count("stretch") <= 16 and 4 <= kinds.count("none") <= 22


def test_a_part_of_a_draw_is_its_rows(bank: StemBank) -> None:
    draw = draws(bank, noise=0.0)[0]
    clean = dataclasses.replace(CONFIG, noise=0.0)
    part, _ = hear(bank, draw.part(slice(4, 8)), clean)
    assert torch.allclose(part, hear(bank, draw, clean)[0][4:], atol=1e-6)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="partition must be one of window, track; got 'stem'"):
        SamplingConfig(partition="stem")
    with pytest.raises(UsageError, match="sum to at most 1"):
        SamplingConfig(alterations={"shift": 0.7, "stretch": 0.7})
    for setting in ("subsets", "levels", "noisy_sides"):
        with pytest.raises(UsageError, match=f"{setting} must be one of .*; got 'loud'"):
            SamplingConfig(**{setting: "loud"})
    with pytest.raises(UsageError, match="silent_stems needs levels = 'raw'"):
        SamplingConfig(silent_stems=True)
    with pytest.raises(UsageError, match="w_init must be one of identity, normal; got 'zeros'"):
        TrainingConfig(w_init="zeros")
    for setting in ({"window": 0.1}, {"shortest_window": 0.1}):
        name, least = next(iter(setting)), r"0\.31 s, which front end 'hps' needs; got 0\.1"
        with pytest.raises(UsageError, match=rf"sampling\.{name} must be at least {least}"):
            TrainingConfig(sampling=SamplingConfig(**setting))
    with pytest.raises(UsageError, match="validation_windows must be 2 or more; got 1"):
        TrainingConfig(validation_windows=1)
    with pytest.raises(AudioError, match=r"train: none of 1 tracks has two stems and lasts 1\.0 s; give longer"):
        Draws([BankTrack("short", 0, BLOCK, np.ones((2, 1), np.float32), beat=0.5)], CONFIG, steps=1, seed=0)


def test_windows_of_many_lengths(bank: StemBank) -> None:
    many = draws(bank, shortest_window=0.4, window=1.0)
    lengths = [many[step].length for step in range(20)]
    assert min(lengths) >= 0.4 * RATE and max(lengths) <= RATE and len(set(lengths)) > 15
    assert [draws(bank, shortest_window=0.4)[step].length for step in range(20)] == lengths
    waveforms, _ = hear(bank, many[3], many.config)
    assert waveforms.shape == (8, 2, lengths[3])
    assert draws(bank)[0].length == RATE

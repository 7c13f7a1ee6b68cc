"""FAD and sub-FAD from audio to result: mixing, caching, stored references, errors; and the COCOLA encoder in it."""

import math
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import cocola_metric
from cocola_metric import FAD, AudioError, CocolaScorer, SubFAD
from cocola_metric.audio.clips import content_sha256, mix_clips, read_clip
from cocola_metric.audio.inputs import read_audio
from cocola_metric.audio.limits import AudioWarning
from cocola_metric.errors import UsageError
from cocola_metric.fad.distance import Reference
from cocola_metric.fad.embedders import new_embedder
from cocola_metric.fad.frechet import embedding_distance

RATE = 16_000


class Bands:
    """An embedder for tests: the logarithmic energy of eight bands in every half second."""

    name, sample_rate, recipe, parallel = "bands", 24_000, "embedder:bands|sr:24000|axis:time", True

    def __init__(self) -> None:
        self.calls = 0
        self._lock = threading.Lock()

    def embed(self, waveform: torch.Tensor) -> np.ndarray:
        with self._lock:
            self.calls += 1
        frames = torch.as_tensor(waveform).double().unfold(0, 12_000, 12_000)
        power = torch.fft.rfft(frames)[:, :6000].abs().square().reshape(len(frames), 8, -1).mean(dim=2)
        return (power + 1e-3).log10().numpy()


@pytest.fixture
def bands() -> Bands:
    return Bands()


def noises(count: int, seed: int, *, gain: float = 0.1, seconds: float = 3.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    gains = gain * torch.rand(count, generator=generator)
    return [level * torch.randn(1, round(seconds * RATE), generator=generator) for level in gains]


def rows(embedder: Bands, clips: list[torch.Tensor]) -> np.ndarray:
    return np.concatenate([embedder.embed(read_clip(clip, 24_000, sample_rate=RATE)) for clip in clips])


def test_fad_of_arrays(bands: Bands) -> None:
    generated, references = noises(10, 0), noises(12, 1, gain=0.2)
    result = FAD(bands, cache=None).score(generated, references, sample_rate=RATE)
    assert result.fad == pytest.approx(embedding_distance(rows(bands, generated), rows(bands, references)), abs=1e-10)
    assert (result.n, result.n_reference, result.tracks, result.tracks_reference) == (60, 72, 10, 12)
    assert result.dimension == 8 and len(result.per_song) == 10
    assert result.interval[0] <= result.fad <= result.interval[1]
    assert result.signature == "FAD|embedder:bands|sr:24000|axis:time|n:60|n_ref:72|d:8"
    assert result.floor > 0 and math.isfinite(result.infinity) and result.infinity_r_squared <= 1


def test_a_set_has_no_distance_to_itself(bands: Bands) -> None:
    clips = noises(6, 0)
    assert FAD(bands, cache=None).score(clips, clips, sample_rate=RATE).fad == pytest.approx(0, abs=1e-10)


def test_sub_fad_mixes_before_it_embeds(bands: Bands) -> None:
    conditionings, generated, references = noises(9, 0), noises(9, 1), noises(9, 2, gain=0.3)
    result = SubFAD(bands, cache=None).score(conditionings, generated, references, sample_rate=RATE)
    ours = [a + b for a, b in zip(conditionings, generated, strict=True)]
    real = [a + b for a, b in zip(conditionings, references, strict=True)]
    plain = FAD(bands, cache=None).score(ours, real, sample_rate=RATE)
    assert result.fad == pytest.approx(plain.fad, abs=1e-5)
    assert result.signature.startswith("sub-FAD|embedder:bands|")
    with pytest.raises(UsageError, match="parts must be one for each of 9 conditionings; got 8"):
        SubFAD(bands, cache=None).score(conditionings, generated[:8], references, sample_rate=RATE)


def test_the_same_numbers_every_time(bands: Bands) -> None:
    sets = noises(10, 0), noises(10, 1)
    assert FAD(bands, cache=None).score(*sets, sample_rate=RATE) == FAD(bands, cache=None).score(
        *sets, sample_rate=RATE
    )


def test_embeddings_are_kept_by_content(bands: Bands, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for number, clip in enumerate(noises(5, 0)):
        soundfile.write(tmp_path / f"{number}.wav", clip[0].numpy(), RATE, subtype="FLOAT")
    paths = sorted(tmp_path.glob("*.wav"))
    metric = FAD(bands, cache=folder)
    first = metric.score(paths, paths[1:])
    assert bands.calls <= 9  # two threads may meet the same clip at once
    before = bands.calls
    renamed = [path.rename(tmp_path / f"other{path.name}") for path in paths]
    second = FAD(bands, cache=folder).score(renamed, renamed[1:])
    assert bands.calls == before and second.fad == pytest.approx(first.fad, abs=1e-5)
    for file in folder.rglob("*.npz"):
        file.write_bytes(b"damaged")
    assert FAD(bands, cache=folder).score(renamed, renamed[1:]).fad == pytest.approx(first.fad, abs=1e-5)
    assert bands.calls > before
    before = bands.calls
    bands.recipe = "another recipe"
    FAD(bands, cache=folder).score(renamed, renamed[1:])
    assert bands.calls > before


def test_the_default_cache_is_the_users(bands: Bands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    FAD(bands).score(noises(2, 0), noises(2, 1), sample_rate=RATE)
    assert len(list((tmp_path / "cocola-metric" / "embeddings").rglob("*.npz"))) == 4


def test_a_reference_is_stored(bands: Bands, tmp_path: Path) -> None:
    conditionings, generated, references = noises(9, 0), noises(9, 1), noises(9, 2, gain=0.3)
    metric = SubFAD(bands, cache=None)
    whole = metric.score(conditionings, generated, references, sample_rate=RATE)
    file = metric.reference(conditionings, references, sample_rate=RATE).save(tmp_path / "real.npz")
    stored = Reference.load(file)
    result = metric.score(conditionings, generated, stored, sample_rate=RATE)
    assert result.fad == pytest.approx(whole.fad, abs=1e-12)
    assert (result.floor, result.per_song, result.signature) == (whole.floor, whole.per_song, whole.signature)
    with pytest.raises(UsageError, match="was made by sub-FAD"):
        FAD(bands, cache=None).score(generated, stored, sample_rate=RATE)


@pytest.mark.parametrize("content", [b"", b"not an archive", None], ids=["empty", "text", "missing"])
def test_references_that_are_none(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "real.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"real\.npz"):
        Reference.load(file)


def test_a_bad_clip_is_named_and_never_left_out(bands: Bands, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    good = tmp_path / "good.wav"
    soundfile.write(good, noises(1, 0)[0][0].numpy(), RATE)
    for bad in (tmp_path / "broken.wav", tmp_path / "missing.wav"):
        with pytest.raises(AudioError, match=bad.name):
            FAD(bands, cache=tmp_path / "cache").score([good, bad], [good, good])


def test_an_embedder_that_gives_nothing(bands: Bands) -> None:
    bands.embed = lambda waveform: np.zeros((0, 8))
    with pytest.raises(AudioError, match="bands gave no finite embeddings"):
        FAD(bands, cache=None).score(noises(2, 0), noises(2, 1), sample_rate=RATE)


def test_too_few_embeddings(bands: Bands) -> None:
    with pytest.raises(UsageError, match=r"a covariance needs 2 embeddings or more, .* got 1"):
        FAD(bands, cache=None).score(noises(1, 0, seconds=0.5), noises(4, 1), sample_rate=RATE)
    with pytest.raises(UsageError, match="no tracks"):
        FAD(bands, cache=None).score([], noises(4, 1), sample_rate=RATE)


def test_few_clips_have_no_estimates_and_say_so(bands: Bands) -> None:
    result = FAD(bands, cache=None).score(noises(1, 0), noises(1, 1), sample_rate=RATE).as_json()
    assert result["infinity"] is None and result["floor"] is None and result["fad"] > 0


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_clips_at_another_rate(data: Path, kind: str) -> None:
    path = data / f"accompaniment.{kind}"
    values, own_rate = soundfile.read(path, dtype="float32", always_2d=True)
    clip = read_clip(path, 48_000)
    assert len(clip) == pytest.approx(len(values) * 48_000 / own_rate, abs=1)
    assert np.allclose(read_clip(path, own_rate), values.mean(axis=1), atol=1e-7) or own_rate == RATE
    assert np.array_equal(read_clip(path, RATE), read_audio(path))
    from_array = read_clip(values.T, 48_000, sample_rate=own_rate)
    np.testing.assert_allclose(from_array, clip, atol=1e-6)


def test_stems_and_unequal_lengths(data: Path) -> None:
    paths = [data / "conditioning.flac", data / "accompaniment.flac"]
    stems = read_clip(paths, 24_000)
    np.testing.assert_allclose(stems, sum(read_clip(path, 24_000) for path in paths), atol=1e-6)
    long, short = torch.ones(1, RATE), torch.ones(1, RATE // 2)
    with pytest.warns(AudioWarning, match=r"differ in length by 0\.50 s"):
        assert len(mix_clips([long, short], RATE, sample_rate=RATE)) == RATE // 2


def test_damaged_clips_at_another_rate(tmp_path: Path) -> None:
    values = np.zeros(48_000, dtype=np.float32)
    values[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", values, 48_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"nan\.wav holds NaN"):
        read_clip(tmp_path / "nan.wav", 24_000)
    soundfile.write(tmp_path / "whole.flac", noises(1, 0)[0][0].numpy(), RATE)
    content = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"cut\.flac"):
        read_clip(tmp_path / "cut.flac", 24_000)


def test_content_is_not_the_name(data: Path, tmp_path: Path) -> None:
    path = data / "conditioning.flac"
    copy = tmp_path / "copy.flac"
    copy.write_bytes(path.read_bytes())
    clip = noises(1, 0)[0]
    assert content_sha256(path) == content_sha256(copy) != content_sha256(data / "accompaniment.flac")
    assert content_sha256(clip, sample_rate=RATE) == content_sha256(clip.numpy(), sample_rate=RATE)
    assert content_sha256(clip, sample_rate=RATE) != content_sha256(clip, sample_rate=2 * RATE)


def test_the_cocola_encoder_is_the_default(data: Path) -> None:
    paths = [data / "conditioning.flac", data / "accompaniment.flac"]
    metric = FAD(cache=None, resamples=10)
    scorer = CocolaScorer.from_pretrained()
    result = metric.score(paths, paths[:1])
    embeddings = [scorer.embed(path)[:, : scorer.real_width].astype(np.float64) for path in paths]
    assert embeddings[0].shape[1] == result.dimension == 512
    assert result.fad == pytest.approx(embedding_distance(np.concatenate(embeddings), embeddings[0]), rel=1e-5)
    assert f"FAD|embedder:cocola|model:embedded|weights:{scorer.weights_sha256[:8]}|" in result.signature
    assert "|win:5.0|hop:2.5|sr:16000|axis:time|package:cocola-metric-" in result.signature


def test_sub_fad_with_the_cocola_encoder(data: Path) -> None:
    conditioning, accompaniment = data / "conditioning.flac", data / "accompaniment.flac"
    result = SubFAD(cache=None, resamples=10).score([conditioning], [accompaniment], [accompaniment])
    assert result.fad == pytest.approx(0, abs=1e-10)
    mix = CocolaScorer.from_pretrained().embed([conditioning, accompaniment])
    assert result.n == len(mix)


def test_names_and_settings_that_are_none(bands: Bands) -> None:
    with pytest.raises(UsageError, match=r"one of cocola, clap, encodec, vggish, timbre; got 'clop'"):
        new_embedder("clop")
    with pytest.raises(UsageError, match="resamples must be 2 or more; got 1"):
        FAD(bands, resamples=1)


def test_what_the_package_offers() -> None:
    assert cocola_metric.FAD is FAD and cocola_metric.SubFAD is SubFAD
    assert cocola_metric.frechet_distance([0.0], [[1.0]], [1.0], [[4.0]]) == 2.0

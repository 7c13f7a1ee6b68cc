"""Heads on the maps of a frozen trunk: what is kept on disk, what is drawn of it, what is trained."""

import csv
import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import write_corpus

from cocola_metric.checkpoints import loading
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.encoder.phasors import PhasorSizes
from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.training.encoder import commands, heads, joining, maps
from cocola_metric.training.encoder.choices import chances_among
from cocola_metric.training.encoder.config import SamplingConfig, TrainingConfig, load_config
from cocola_metric.training.encoder.joining import join_head
from cocola_metric.training.encoder.rows import RowsOfPairs, RowsOfStores, draw_piece
from cocola_metric.training.encoder.starts import load_head, save_head, start_weights
from cocola_metric.training.encoder.turning import turned_wrongs
from cocola_metric.training.evaluation.commands import judge_heads

PLACED = EncoderConfig(front_end="pitch_onset", backbone="placed_efficientnet_b0")
PHASORS = EncoderConfig(
    front_end="pitch_onset", backbone="phasor_efficientnet_b0", similarity="phasors", embedding_dim=1312
)
KEPT_TOLERANCE = 0.1  # of embeddings in -1..1, whose images are kept in 255 steps
CONFIGS = sorted((Path(heads.__file__).parents[1] / "configs" / "heads").glob("*.toml"))


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """An encoder whose trunk is frozen."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("start")
    loading.save(CocolaModel(PLACED), folder)
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> TrainingConfig:
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"))
    sampling = SamplingConfig(
        **{"window": 2.0, "batch_size": 4, "windows_per_track": 2, "partition": "track"},
        **{"fastest": 1.2, "room": 0.5, "overdrive": 0.5, "codec": 0.5},
        alterations={"shift": 0.5, "noise": 0.2},
    )
    return TrainingConfig(
        corpora=(str(corpus),),
        encoder=PHASORS,
        sampling=sampling,
        steps=3,
        warmup_steps=1,
        label_smoothing=0.1,
        turned=4,
        validation_windows=4,
        noises=4,
        itself=True,
        seed=1,
    )


@pytest.fixture(scope="module")
def kept(start: Path, config: TrainingConfig, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps, "VALIDATION_BATCHES", {"shift": 1, "noise": 1})
        patch.setattr(maps, "WINDOWS_OF_NOISE", 6)
        patch.setattr(maps, "WINDOWS_OF_WHITE", 3)
        maps.write_all_maps(config, folder, start_from=str(start), batches=3, workers=0)
        maps.write_all_maps(config, folder / "lean", start_from=str(start), batches=1, workers=0, lean=True)
    return folder


def test_what_is_kept_gives_the_embeddings_of_the_encoder(start: Path, kept: Path) -> None:
    store = maps.MapStore(kept / "train")
    model = loading.load(start).model
    assert store.count == 12 and store.batch_size == 4
    with torch.inference_mode():
        embedded = heads.embed_maps(model, store, np.arange(4))
        expected = model.encoder.embed_features(store.images(np.arange(4)).flatten(0, 1))
    assert (embedded.flatten(0, 1)[::3] - expected[::3]).abs().max() < KEPT_TOLERANCE


def test_lean_maps_give_the_same_without_what_phasors_do_not_read(start: Path, kept: Path) -> None:
    whole, lean = maps.MapStore(kept / "train"), maps.MapStore(kept / "lean" / "train")
    assert set(whole.arrays) - set(lean.arrays) == set(maps.LEFT_OUT)
    encoder = loading.load(start).model
    for model in (encoder, join_head(encoder, CocolaModel(PHASORS), 1.0), CocolaModel(PHASORS).eval()):
        with torch.inference_mode():
            sides = [heads.embed_maps(model, store, np.arange(4)) for store in (whole, lean)]
        assert (sides[0] - sides[1]).abs().max() < 1e-2  # the readings are float16


def test_readings_cannot_be_learnt_from_lean_maps(
    start: Path, kept: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    placed = dataclasses.replace(config, encoder=PLACED, turned=0)
    with pytest.raises(UsageError, match="without --lean"):
        heads.train_head(placed, tmp_path, kept / "lean", start_from=str(start))


def test_validation_windows_are_kept_as_they_are_and_treated(kept: Path) -> None:
    plain, treated = (maps.open_watched(kept, treatment) for treatment in (maps.UNTREATED, maps.TREATED))
    assert plain.keys() == treated.keys() == {"shift", "noise"}
    assert not np.array_equal(plain["shift"].arrays["images"], treated["shift"].arrays["images"])
    assert maps.MapStore(kept / maps.NOISES).count == 2 and maps.MapStore(kept / maps.WHITE).count == 1


def test_a_head_is_trained_and_the_trunk_stays(start: Path, kept: Path, config: TrainingConfig, tmp_path: Path) -> None:
    before = loading.load(start).model.state_dict()
    trained = heads.train_head(config, tmp_path / "run", kept, start_from=str(start))
    for name, value in trained.state_dict().items():
        if name.startswith(heads.TRUNK):
            assert torch.equal(value, before[name]), name
    torch.manual_seed(config.seed)
    fresh = CocolaModel(PHASORS).state_dict()
    moved = [name for name, value in trained.named_parameters() if not torch.equal(value, fresh[name])]
    assert {name.split(".")[2] for name in moved if "backbone" in name} >= {"time_phasors", "pitch_phasors"}
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert last["step"] == "3" and last["other_track"] and last["shift"] and last["noise"] and last["below"]
    assert loading.load(tmp_path / "run").model.config == PHASORS
    still = dataclasses.replace(config, learning_rate=0.0, similarity_learning_rate=0.0, steps=1)
    again = heads.train_head(still, tmp_path / "again", kept, start_from=str(start), head=tmp_path / "run" / "head")
    for name, value in again.named_parameters():
        assert torch.allclose(value, trained.get_parameter(name), atol=2e-3), name  # float16


def test_a_head_can_be_trained_without_its_real_part(
    start: Path, kept: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    alone = dataclasses.replace(config, phasors_alone=True, steps=2)
    trained = heads.train_head(alone, tmp_path / "run", kept, start_from=str(start))
    assert trained.similarity.get_parameter("weight").abs().max() == 0
    with torch.inference_mode():
        embedded = heads.embed_maps(trained, maps.MapStore(kept / "train"), np.arange(2))[:, 0]
        other = embedded.clone()
        other[:, :64] = 1.0
        torch.testing.assert_close(
            trained.similarity.pairs(embedded, other), trained.similarity.pairs(embedded, embedded)
        )


def test_an_encoder_without_phasors_has_none_to_turn(
    start: Path, kept: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    placed = dataclasses.replace(config, encoder=PLACED)
    with pytest.raises(UsageError, match="turned=4 needs phasors, which backbone 'placed_efficientnet_b0' lacks"):
        heads.train_head(placed, tmp_path, kept, start_from=str(start))


def test_kept_weights_are_all_that_fit(start: Path, kept: Path, config: TrainingConfig, tmp_path: Path) -> None:
    width = PHASORS.embedding_dim - 64 + 512
    beside = EncoderConfig(
        front_end="pitch_onset",
        backbone="placed_phasor_efficientnet_b0",
        similarity="phasors",
        embedding_dim=width,
    )
    run = heads.train_head(
        TrainingConfig(**{**vars(config), "encoder": beside}), tmp_path / "run", kept, start_from=str(start), keep=True
    )
    before = loading.load(start).model.state_dict()
    assert all(torch.equal(run.state_dict()[name], value) for name, value in before.items())


def test_pairs_of_a_track_come_from_one_draw(kept: Path) -> None:
    store = maps.MapStore(kept / "train")
    rows = RowsOfPairs(store, 4, steps=20, seed=0)
    for step in range(20):
        drawn = rows[step]
        assert len(drawn) <= 4 and len(set(drawn.tolist())) == len(drawn)
        for track in np.unique(store.arrays["tracks"][drawn]):
            assert len(np.unique(drawn[store.arrays["tracks"][drawn] == track] // store.batch_size)) == 1
    assert (rows[3] == rows[3]).all()


def test_a_folder_without_maps_is_refused(config: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write them with the command 'maps'"):
        heads.train_head(config, tmp_path / "run", tmp_path, start_from="embedded")


def test_a_trunk_of_another_kind_has_no_maps() -> None:
    with pytest.raises(UsageError, match="backbone 'efficientnet_b0' has no maps to keep"):
        maps.backbone_of(CocolaModel(EncoderConfig(front_end="mel")))


def test_an_encoder_of_another_kind_gives_no_start(tmp_path: Path) -> None:
    loading.save(CocolaModel(EncoderConfig(front_end="mel")), tmp_path)
    with pytest.raises(CheckpointError, match="no weights of that encoder fit"):
        start_weights(CocolaModel(PHASORS), str(tmp_path), within=heads.TRUNK)


def test_a_head_of_another_trunk_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load_head(tmp_path, CocolaModel(PLACED))
    save_head(CocolaModel(PHASORS), tmp_path)
    with pytest.raises(CheckpointError, match="not a head of that trunk: missing"):
        load_head(tmp_path, CocolaModel(EncoderConfig(front_end="mel")))


def test_chances_are_those_of_all_draws() -> None:
    torch.manual_seed(0)
    better, others = torch.rand(5, 7) > 0.3, torch.rand(5, 7) > 0.2
    for row in range(5):
        chosen = [int(column) for column in others[row].nonzero()[:, 0]]
        draws = list(itertools.combinations(chosen, 3))
        share = np.mean([all(better[row, column] for column in draw) for draw in draws])
        assert chances_among(better, others, 4)[row] == pytest.approx(share)
    assert chances_among(better, others, 16).isnan().all()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_of_a_head_can_be_read(path: Path) -> None:
    assert CocolaModel(load_config(path).encoder).encoder.phasor_width >= 0


def test_encoders_and_heads_are_judged_on_the_same_windows(start: Path, kept: Path, tmp_path: Path, capsys) -> None:
    torch.manual_seed(0)
    save_head(CocolaModel(PHASORS), tmp_path / "head")
    names = [str(start), f"head={tmp_path / 'head'}"]
    judge_heads([*names, "--maps", str(kept), "--trunk", str(start)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["as they are", "treated"] * 2
    assert lines[4].startswith("| head ") and "others above noise" in lines[0]


def test_turned_wrongs_leave_the_rest_and_all_norms_alone() -> None:
    torch.manual_seed(0)
    embeddings = torch.randn(3, PHASORS.embedding_dim)
    turned = turned_wrongs(embeddings, 4, SamplingConfig(), PhasorSizes(), torch.Generator().manual_seed(0))
    assert turned.shape == (3, 4, PHASORS.embedding_dim)
    assert torch.equal(turned[..., :64], embeddings[:, None, :64].expand(-1, 4, -1))
    assert torch.allclose(turned.norm(dim=-1), embeddings.norm(dim=-1)[:, None].expand(-1, 4), atol=1e-3)
    time = turned[..., 64 : 64 + 720]
    unmoved = torch.isclose(time, embeddings[:, None, 64 : 64 + 720]).all(-1)
    assert unmoved.tolist() == [[False, True, False, True]] * 3  # late or early; transposed


def test_a_joined_encoder_adds_the_phasors_to_what_it_was() -> None:
    torch.manual_seed(0)
    encoder, head = CocolaModel(PLACED).eval(), CocolaModel(PHASORS).eval()
    trunk = {name: tensor for name, tensor in encoder.state_dict().items() if name.startswith(heads.TRUNK)}
    head.load_state_dict(trunk, strict=False)
    images = torch.rand(3, 2, 128, 101) * -80
    joined = join_head(encoder, head, 0.5)
    with torch.inference_mode():
        before, added, after = (
            model.similarity.left(embedded) * embedded.roll(1, 0)
            for model in (encoder, head, joined)
            for embedded in (model.encoder.embed_features(images),)
        )
    expected = before.sum(1) + 0.5 * added[:, PHASORS.embedding_dim - head.encoder.phasor_width :].sum(1)
    assert torch.allclose(after.sum(1), expected, atol=1e-4)
    with pytest.raises(UsageError, match="cannot be joined"):
        join_head(head, encoder, 0.5)
    again = join_head(joined, head, 0.5).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in joined.state_dict().items())
    bare = joining.without_phasors(joined).state_dict()
    assert bare.keys() == encoder.state_dict().keys()
    assert all(torch.equal(tensor, bare[name]) for name, tensor in encoder.state_dict().items())


def test_the_share_is_chosen_on_validation_windows(start: Path, kept: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(joining, "JUDGED", ("other_track", "shift"))  # there are too few windows for more
    torch.manual_seed(0)
    save_head(CocolaModel(PHASORS), tmp_path / "head")
    commands.join_head([str(start), str(tmp_path / "head"), "--maps", str(kept), "--out", str(tmp_path / "joined")])
    assert loading.load(tmp_path / "joined").model.config.embedding_dim == 512 + 720 + 528
    commands.join_head([str(start), str(tmp_path / "head"), "--share", "2", "--out", str(tmp_path / "twice")])
    with pytest.raises(SystemExit):
        commands.join_head([str(start), str(tmp_path / "head"), "--out", str(tmp_path / "neither")])


def test_pairs_without_a_wrong_accompaniment_are_embedded_alone(kept: Path) -> None:
    """The third side of such a pair is empty; it must not reach the statistics of a norm."""
    store, model = maps.MapStore(kept / "train"), CocolaModel(PHASORS).eval()
    with torch.inference_mode():
        both, three = (heads.embed_maps(model, store, np.arange(4), sides) for sides in (2, 3))
    assert both.shape[1] == 2 and torch.allclose(both, three[:, :2], atol=1e-5)


def test_pairs_are_encoded_in_the_mode_they_are_drawn_in_and_validation_in_both(kept: Path) -> None:
    store = maps.MapStore(kept / "train")
    modes = store.modes(np.arange(store.count))
    assert set(modes.tolist()) == {0, 1, 2}
    pairs = store.images(np.arange(store.count))[:, :2]
    for channel, left_out in ((1, 1), (0, 2)):  # the harmonic mode has no percussive channel
        assert (pairs[modes == left_out][:, :, channel] == 0).all()
        assert (pairs[modes == 0][:, :, channel] < -1).any()
    for watched in maps.open_watched(kept).values():
        assert not watched.modes(slice(None)).any()
    del store.arrays["mode"]  # as in maps of before
    assert not store.modes(np.arange(store.count)).any()


def test_modes_without_a_share_are_left_out_and_others_are_no_negatives(
    start: Path, kept: Path, config: TrainingConfig
) -> None:
    store = maps.MapStore(kept / "train")
    for step in range(5):
        rows = RowsOfPairs(store, 4, steps=5, seed=0, mode_shares=(0.0, 0.5, 0.5))[step]
        assert len(rows) and (store.modes(rows) > 0).all()
    everyone = np.arange(store.count)
    embedded = torch.randn(store.count, 2, PHASORS.embedding_dim)
    plain = dataclasses.replace(config, itself=False, turned=0)
    generator = torch.Generator().manual_seed(0)
    similarities = heads._similarities(CocolaModel(PHASORS), embedded, store, everyone, plain, generator)
    modes = store.modes(everyone)
    assert torch.equal(similarities.isfinite(), torch.from_numpy(modes[:, None] == modes[None, :]))


def test_pairs_of_several_stores_never_share_a_batch(kept: Path) -> None:
    stores = [maps.MapStore(kept / "train"), maps.MapStore(kept / "lean" / "train")]
    rows = RowsOfStores(stores, 4, steps=60, seed=0, mode_shares=(1, 1, 1))
    numbers = [rows[step][0] for step in range(60)]
    assert 30 < numbers.count(0) < 58  # twelve pairs and four
    assert all(rows[step][1].max() < stores[number].count for step, number in enumerate(numbers))


def test_windows_are_cut_to_a_drawn_length_for_all_sides(start: Path, kept: Path, config: TrainingConfig) -> None:
    store = maps.MapStore(kept / "train")
    sampling = dataclasses.replace(config.sampling, shortest_window=1.0)
    pieces = [draw_piece(store, sampling, seed) for seed in range(50)]
    lengths = [piece.stop - piece.start for piece in pieces]
    assert min(lengths) == 12 and max(lengths) == 25  # of 80 ms
    assert draw_piece(store, config.sampling, 0) is None
    head, rows = CocolaModel(PHASORS).eval(), np.arange(2)
    with torch.inference_mode():
        whole, all_steps, cut = (
            heads.embed_maps(head, store, rows, 2, piece) for piece in (None, slice(0, 26), pieces[0])
        )
        torch.testing.assert_close(whole, all_steps, atol=1e-3, rtol=0)  # but for the last frames of the images
    assert (whole[..., :64] == cut[..., :64]).all() and (whole[..., 64:] - cut[..., 64:]).abs().max() > 1e-3
    with pytest.raises(UsageError, match="set phasors_alone = true"):
        heads.train_head(dataclasses.replace(config, sampling=sampling), kept / "run", kept, start_from=str(start))


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_matrices_of_the_phasors_are_trained_alone_on_embeddings(
    start: Path, kept: Path, config: TrainingConfig, tmp_path: Path, optimizer: str
) -> None:
    few = dataclasses.replace(
        config, forms_alone=True, phasors_alone=True, optimizer=optimizer, turned=0, itself=False, noises=0
    )
    torch.manual_seed(config.seed)
    fresh = CocolaModel(PHASORS)
    trained = heads.train_head(few, tmp_path, kept, kept / "lean", start_from=str(start))
    moved = {
        name
        for name, part in trained.named_parameters()
        if not name.startswith(heads.TRUNK) and not torch.equal(part, fresh.get_parameter(name))
    }
    assert moved == {name for name, _ in fresh.named_parameters() if name.startswith(heads.FORMS)} | {heads.MATRIX}


def test_muon_trains_kernels_and_matrices_of_a_head(
    start: Path, kept: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    muon = dataclasses.replace(config, optimizer="muon", steps=2)
    trained = heads.train_head(muon, tmp_path, kept, start_from=str(start))
    assert all(part.isfinite().all() for part in trained.parameters())

import json
import logging
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from native_libraries import needs_fluidsynth
from tiny_scores import write_quartet, write_tune

from cocola_metric.errors import CocolaError
from cocola_metric.training.corpora.splits import SPLITS
from cocola_metric.training.rendering import commands, drumkits
from cocola_metric.training.rendering import render as rendering
from cocola_metric.training.rendering.channel_strip import LOUDNESS_RANGE, active_loudness
from cocola_metric.training.rendering.plan import PlannedTrack, divide, plan_tracks
from cocola_metric.training.rendering.recipes import grooves, multitracks, projects, quartets, songs, tracker_modules
from cocola_metric.training.rendering.registry import RECIPES
from cocola_metric.training.rendering.studio import Studio
from cocola_metric.training.rendering.synth import SAMPLE_RATE, SoundFont
from cocola_metric.training.rendering.tunes import ROOTS, Tune
from cocola_metric.training.rendering.works import CORPORA, USUAL_CORPORA, Work, split_of

FONT = SoundFont(Path(pretty_midi.__file__).parent / "TimGM6mb.sf2", "GPL-2")
QUANTISATION = 0.5  # dB that 16 bits may move the loudness of a quiet stem

needs_mma = pytest.mark.skipif(
    shutil.which("mma") is None or not grooves.MMA_LIBRARY.is_dir(), reason="mma is not installed (apt mma)"
)


USUAL_RECIPES = {name: recipe for name, recipe in RECIPES.items() if recipe.corpus in USUAL_CORPORA}
# Of all hours: the shares in a corpus add up to 1.
RECIPE_SHARES = {name: recipe.share / len(USUAL_CORPORA) for name, recipe in USUAL_RECIPES.items()}


@pytest.fixture
def fake_works():
    return {name: [Work(f"work-{number}", ()) for number in range(60)] for name in USUAL_RECIPES}


@pytest.fixture
def nothing_installed(tmp_path, monkeypatch):
    """Hide what the machine itself may hold: music21, its cache and the music of games."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "music21", None)
    monkeypatch.setattr(multitracks, "PACKAGES", {})
    monkeypatch.setattr(tracker_modules, "PACKAGES", ())


@pytest.fixture
def studio():
    with Studio([FONT.path]) as opened:
        yield opened


# --- plan ---------------------------------------------------------------------------------------------------------


def planned_hours(plan, name=None, corpus=None):
    tracks = [track for track in plan if name in (None, track.recipe) and corpus in (None, track.corpus)]
    return sum(track.duration for track in tracks) / 3600


def test_corpora_get_equal_hours_and_recipes_their_shares(fake_works):
    plan = plan_tracks(fake_works, RECIPES, hours=12, seed=0)
    for corpus in USUAL_CORPORA:
        assert planned_hours(plan, corpus=corpus) == pytest.approx(4, abs=2 / 60)
    for name, share in RECIPE_SHARES.items():
        assert planned_hours(plan, name) == pytest.approx(12 * share, abs=1 / 60)


def test_every_prefix_of_a_plan_holds_the_recipes_in_proportion(fake_works):
    plan = plan_tracks(fake_works, RECIPES, hours=10, seed=0)
    seconds = dict.fromkeys(USUAL_RECIPES, 0.0)
    for track in plan:
        seconds[track.recipe] += track.duration
        for name, share in RECIPE_SHARES.items():
            assert abs(seconds[name] - share * sum(seconds.values())) < 60  # at most one track too many or too few


def test_the_hours_of_an_absent_recipe_or_corpus_go_to_the_others(fake_works):
    del fake_works["projects"], fake_works["modules"], fake_works["multitracks"]
    plan = plan_tracks(fake_works, RECIPES, hours=4, seed=0)
    assert {track.recipe for track in plan} == {"chorales", "quartets", "grooves"}
    assert planned_hours(plan, corpus="chorus") == pytest.approx(2, abs=2 / 60)
    assert planned_hours(plan, corpus="bands") == pytest.approx(2, abs=2 / 60)


def test_hours_that_one_cannot_supply_go_to_the_others(fake_works):
    fake_works["projects"], fake_works["modules"] = fake_works["projects"][:4], fake_works["modules"][:4]
    fake_works["chorales"] = fake_works["chorales"][:2]
    plan = plan_tracks(fake_works, RECIPES, hours=12, seed=0)
    assert planned_hours(plan) == pytest.approx(12, abs=6 / 60)
    counts = Counter(track.work.name for track in plan if track.recipe == "projects")
    assert set(counts.values()) == {RECIPES["projects"].most_variants}
    projects = planned_hours(plan, corpus="desk")
    for corpus in ("chorus", "bands"):
        assert planned_hours(plan, corpus=corpus) == pytest.approx((12 - projects) / 2, abs=2 / 60)
    assert planned_hours(plan, "chorales") < 0.7 < 4 < planned_hours(plan, "quartets")


def test_all_is_planned_where_more_is_asked_than_there_is(fake_works):
    works = {"chorales": fake_works["chorales"][:2], "grooves": fake_works["grooves"][:1]}
    plan = plan_tracks(works, RECIPES, hours=1000, seed=0)
    assert len(plan) == 2 * RECIPES["chorales"].most_variants + RECIPES["grooves"].most_variants


@given(
    st.dictionaries(st.text("abcdef", min_size=1), st.tuples(st.floats(0.1, 10), st.floats(0, 100)), min_size=1),
    st.floats(0, 1000),
)
def test_division_wastes_nothing_and_is_fair(shares_and_limits, total):
    shares = {name: share for name, (share, _) in shares_and_limits.items()}
    limits = {name: limit for name, (_, limit) in shares_and_limits.items()}
    parts = divide(total, shares, limits)
    assert sum(parts.values()) == pytest.approx(min(total, sum(limits.values())))
    assert all(parts[name] <= limits[name] for name in limits)
    below = [parts[name] / shares[name] for name in parts if parts[name] < limits[name]]
    assert not below or below == pytest.approx([max(below)] * len(below))


def test_a_longer_plan_contains_the_shorter(fake_works):
    fake_works["projects"] = fake_works["projects"][:1]
    plans = (plan_tracks(fake_works, RECIPES, hours, seed=0) for hours in (2, 5, 40))
    short, long, longest = ({track.name for track in plan} for plan in plans)
    assert short < long < longest


def test_no_work_exceeds_its_variants(fake_works):
    plan = plan_tracks({"projects": fake_works["projects"][:2]}, RECIPES, hours=10, seed=0)
    counts = Counter(track.work.name for track in plan)
    assert set(counts.values()) == {RECIPES["projects"].most_variants}


def test_splits_are_disjoint_by_work_and_of_the_right_size(fake_works):
    plan = plan_tracks(fake_works, RECIPES, hours=10, seed=0)
    splits = {}
    for track in plan:
        corpus, split, name = track.folder(Path()).parts
        assert (corpus, name) == (track.corpus, track.name)
        splits.setdefault((track.recipe, track.work.name), set()).add(split)
    assert all(len(names) == 1 for names in splits.values())
    counts = Counter(split_of("grooves", f"work-{number}") for number in range(5000))
    assert [counts[split] / 5000 for split in SPLITS] == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_songs_are_rendered_on_request_and_keep_the_splits_of_their_tunes(fake_works):
    assert set(CORPORA) - set(USUAL_CORPORA) == {"songs"}
    plan = plan_tracks({**fake_works, "songs": fake_works["grooves"]}, RECIPES, hours=4, seed=0)
    splits = {name: {track.work.name: track.split for track in plan if track.recipe == name} for name in RECIPES}
    assert planned_hours(plan, corpus="songs") == pytest.approx(1, abs=2 / 60)
    shared = splits["songs"].keys() & splits["grooves"].keys()
    assert len(shared) > 20 and all(splits["songs"][name] == splits["grooves"][name] for name in shared)


def test_a_track_is_decided_by_seed_and_name():
    def draw(seed, variant):
        return PlannedTrack("bands", "grooves", Work("song", ()), variant, seed).generator.random()

    assert draw(0, 1) == draw(0, 1)
    assert len({draw(0, 0), draw(0, 1), draw(1, 0)}) == 3


# --- works --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_installed")
def test_movements_and_remixes_belong_to_one_work(tmp_path):
    for name in ("Mozart__Quartet_No.18__sq1", "Mozart__Quartet_No.18__sq22", "Ravel__Quartet__sq3"):
        write_quartet(tmp_path / "scores" / "string_quartets" / f"{name}.mxl", measures=1)
    assert {work.name: len(work.paths) for work in quartets.find_works(tmp_path)} == {
        "mozart-quartet-no-18": 2,
        "ravel-quartet": 1,
    }
    folder = tmp_path / "scores" / "helland"
    folder.mkdir()
    for number, name in enumerate(("Faith", "Faith_(love_remix)", "Fate_-_Piano_arrangement", "Copy of Faith")):
        (folder / f"{name}.mid").write_bytes(bytes([number % 3]))  # the last is a copy of the first
    assert len(multitracks.find_works(tmp_path)) == 2


@pytest.mark.parametrize(
    ("recipe", "folder", "works"),
    [
        ("quartets", "scores/string_quartets", 116),
        ("multitracks", "scores/freedoom", 155),
        ("projects", "stems/desk", 25),
    ],
)
@pytest.mark.usefixtures("nothing_installed")
def test_shared_sources_are_found(shared, recipe, folder, works):
    found = RECIPES[recipe].find_works(shared(folder).parents[1])
    assert len(found) == works
    assert not any("recorded" in path.parts for work in found for path in work.paths)


# --- recipes ------------------------------------------------------------------------------------------------------


@needs_fluidsynth
@needs_mma
def test_a_tune_gets_a_band(tmp_path, studio):
    work = Work("tune", (write_tune(tmp_path / "tune.mid", upbeat=1.0),))
    stems, again = (grooves.render(work, 8.0, studio, np.random.default_rng(5)) for _ in range(2))
    assert "melody" in stems and len(stems) >= 3
    assert {stem.shape for stem in stems.values()} == {(8 * SAMPLE_RATE,)}
    for name, stem in stems.items():
        np.testing.assert_array_equal(stem, again[name])


@needs_fluidsynth
@needs_mma
def test_a_tune_becomes_a_song_of_a_style(tmp_path, studio, monkeypatch):
    work = Work("tune", (write_tune(tmp_path / "tune.mid", upbeat=1.0),))
    style = songs.Style(sings=True, has_guitar=True, swing=0.62, breath=0.02, turns=1)
    monkeypatch.setattr(songs, "draw_style", lambda generator: style)
    stems, again = (songs.render(work, 8.0, studio, np.random.default_rng(5)) for _ in range(2))
    assert {"voice", "answer", "distorted-guitar"} <= stems.keys() and "melody" not in stems
    assert {stem.shape for stem in stems.values()} == {(8 * SAMPLE_RATE,)}
    for name, stem in stems.items():
        np.testing.assert_array_equal(stem, again[name])


def test_a_guitar_plays_the_chords_of_each_bar():
    tune = Tune(4, (), (("C", "C", "G7", "G7"), ("Ebm", "Ebm", "F#", "F#")))
    part = songs.strum_power_chords(tune, 0.5, 2, np.random.default_rng(0))
    for note in part.notes:
        root = {0: "C", 1: "G", 2: "Eb", 3: "F#"}[int(note.start)]
        assert (note.pitch - 2 - ROOTS.index(root)) % 12 in (0, 7)
        assert 40 <= note.pitch < 64


def test_styles_are_drawn_with_and_without_each_trait():
    styles = [songs.draw_style(np.random.default_rng(seed)) for seed in range(40)]
    for trait in ("sings", "has_guitar", "turns", "breath"):
        assert {bool(getattr(style, trait)) for style in styles} == {False, True}
    assert min(style.swing for style in styles) == 0.5 < max(style.swing for style in styles) <= 0.7


def test_desk_stems_are_grouped_to_at_most_eight(tmp_path):
    noise = np.random.default_rng(0).standard_normal((12, 3 * SAMPLE_RATE)) * 0.1
    noise[0] = 0
    for number, stem in enumerate(noise):
        length = SAMPLE_RATE if number == 1 else 3 * SAMPLE_RATE  # one stem ends early, one is silent
        soundfile.write(tmp_path / f"{number}_Track.ogg", stem[:length], SAMPLE_RATE)
    for seed in range(4):
        stems = projects.render(Work("song", (tmp_path,)), 45.0, None, np.random.default_rng(seed))
        assert 3 <= len(stems) <= 8
        assert "0-track" not in stems
        assert {stem.shape for stem in stems.values()} == {(3 * SAMPLE_RATE,)}


def test_a_drumkit_plays_the_layer_of_the_velocity(tmp_path):
    for name, level in (("soft", 0.1), ("hard", 0.8)):
        soundfile.write(tmp_path / f"{name}.wav", np.full(100, level), SAMPLE_RATE)
    instruments = "".join(
        f"<instrument><name>{name}</name><layer><filename>soft.wav</filename><min>0</min><max>0.5</max></layer>"
        "<layer><filename>hard.wav</filename><min>0.5</min><max>1</max></layer></instrument>"
        for name in ("Kick", "Snare", "Closed Hat")
    )
    (tmp_path / "kit").mkdir()
    for wav in tmp_path.glob("*.wav"):
        wav.rename(tmp_path / "kit" / wav.name)
    (tmp_path / "kit" / "drumkit.xml").write_text(f'<drumkit_info xmlns="http://example">{instruments}</drumkit_info>')
    (kit,) = drumkits.find_drumkits(tmp_path)
    notes = [drumkits.Note(0.1, 0.2, 36, 25), drumkits.Note(0.5, 0.6, 38, 115), drumkits.Note(0.8, 0.9, 51, 115)]
    stem = kit.render(notes, 1.0, np.random.default_rng(0))
    soft, hard = stem[int(0.1 * SAMPLE_RATE)], stem[int(0.5 * SAMPLE_RATE)]
    assert 0 < soft < 0.02 and 0.5 < hard <= 0.8
    assert not stem[int(0.7 * SAMPLE_RATE) :].any()  # the kit has no ride


# --- the whole ----------------------------------------------------------------------------------------------------


@pytest.fixture
def one_font(monkeypatch):
    monkeypatch.setattr(rendering, "find_sound_fonts", lambda: (FONT,))


def render(output, sources, jobs):
    return rendering.render_corpus(output, sources=sources, hours=0.035, seed=0, jobs=jobs, corpora=["chorus"])


def stem_bytes(output):
    return {path.relative_to(output): path.read_bytes() for path in output.rglob("*.flac")}


@needs_fluidsynth
@pytest.mark.usefixtures("one_font", "nothing_installed")
def test_a_corpus_is_the_same_for_any_number_of_jobs_and_is_resumed(tmp_path, caplog):
    sources, once = tmp_path / "sources", tmp_path / "once"
    folder = sources / "scores" / "string_quartets"
    for number in range(3):
        write_quartet(folder / f"Quartet_{number}__sq1.mxl")
    (folder / "Damaged__sq1.mxl").write_bytes(b"no archive")

    skipped = render(once, sources, jobs=1)
    assert {track.work.name for track in skipped} == {"damaged"}
    assert "Damaged__sq1.mxl" in caplog.text
    first = stem_bytes(once)

    tracks = {path.parent for path in once.rglob("*.flac")}
    assert len(tracks) >= 2
    for track in tracks:
        stems = [soundfile.read(path)[0] for path in track.glob("*.flac")]
        assert len(stems) == 4
        assert len({len(stem) for stem in stems}) == 1
        for stem in stems:
            assert LOUDNESS_RANGE[0] - QUANTISATION <= active_loudness(stem) <= LOUDNESS_RANGE[1] + QUANTISATION
            assert np.abs(stem).max() < 1

    assert {track.parents[1] for track in tracks} == {once / "chorus"}
    manifest = json.loads((once / "manifest.json").read_text())
    assert sum(manifest["corpora"]["chorus"][split]["quartets"]["tracks"] for split in SPLITS) == len(tracks)
    assert list(manifest["corpora"]) == ["chorus"]
    assert manifest["sources"]["quartets"] == {"OpenScore String Quartets": "CC0-1.0"}

    gone = sorted(tracks)[0]
    written = {path: path.stat().st_mtime_ns for path in once.rglob("*.flac") if path.parent != gone}
    shutil.rmtree(gone)
    render(once, sources, jobs=2)
    assert stem_bytes(once) == first
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())
    assert not list((once / rendering.UNFINISHED).iterdir())


@pytest.mark.usefixtures("one_font", "nothing_installed")
def test_absent_sources_are_named(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    with pytest.raises(CocolaError, match="nothing to render"):
        rendering.render_corpus(tmp_path / "out", sources=tmp_path, hours=0.01)
    for name in USUAL_RECIPES:
        assert f"recipe {name} left out" in caplog.text


@pytest.mark.usefixtures("one_font", "nothing_installed")
def test_recipes_whose_library_is_absent_are_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(rendering, "find_spec", lambda name: None)
    with pytest.raises(CocolaError, match="nothing to render"):
        rendering.render_corpus(tmp_path / "out", sources=tmp_path, corpora=["bands"])
    assert caplog.text.count("it needs pretty_midi; pip install") == 2
    assert "quartets" not in caplog.text


@pytest.mark.usefixtures("one_font", "nothing_installed")
def test_the_command_line_explains_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        commands.render([str(tmp_path / "out"), "--sources", str(tmp_path), "--hours", "0.01"])
    assert "render: nothing to render" in capsys.readouterr().err

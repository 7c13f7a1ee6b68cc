"""The configurations of the paper's encoders, value by value, and what our own ones do otherwise."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from cocola_metric.training.corpora import reader_of
from cocola_metric.training.encoder import config as settings
from cocola_metric.training.encoder.config import TrainingConfig, load_config

CONFIGS = Path(settings.__file__).parents[1] / "configs"
ENCODERS = sorted(file for file in CONFIGS.rglob("*.toml") if "[encoder]" in file.read_text())
PAPERS = [file for file in ENCODERS if file.stem.startswith("paper_")]
OURS = [file for file in ENCODERS if file not in PAPERS]

CODE = "the authors' public code, where the paper says nothing"
OFF = "no setting of the paper: off"
NOT_STATED = "the paper does not say how long"
PAPER: dict[str, tuple[Any, str]] = {
    "w_init": ("normal", f"{CODE}: N(0, 0.05)"),
    "optimizer": ("adam", "4.3: Adam"),
    "learning_rate": (1e-3, "4.3"),
    "similarity_learning_rate": (1e-3, "4.3: one rate"),
    "muon_learning_rate": (0.02, "of Muon alone"),
    "weight_decay": (0.0, OFF),
    "steps": (20_000, NOT_STATED),
    "warmup_steps": (0, f"{CODE}: a constant rate"),
    "short_steps": (0, OFF),
    "short_window": (2.0, "of short steps alone"),
    "frozen_stages": (0, OFF),
    "start_share": (0.0, OFF),
    "label_smoothing": (0.0, "Eq. 3"),
    "turned": (0, OFF),
    "noises": (0, OFF),
    "noise_weight": (0.5, "of noises alone"),
    "itself": (False, OFF),
    "phasors_alone": (False, OFF),
    "forms_alone": (False, OFF),
    "calibration": (False, OFF),
    "validation_windows": (32, CODE),
    "bfloat16": (False, f"{CODE}: precision is not set"),
    "seed": (0, NOT_STATED),
    "sampling.window": (5.0, "4.3: chunks of 5 s"),
    "sampling.shortest_window": (0.0, OFF),
    "sampling.batch_size": (32, "4.3"),
    "sampling.max_overlap": (0.5, "4.3: r = 50 %"),
    "sampling.windows_per_track": (1, "3.1: a window for each track of the batch"),
    "sampling.partition": ("window", "3.1: subsets for each k"),
    "sampling.subsets": ("in_turn", CODE),
    "sampling.single_stem": (False, "3.1: sub-mixes; true in Figure 2"),
    "sampling.levels": ("raw", "Eq. 1: sums of stems, no more"),
    "sampling.silent_stems": (True, CODE),
    "sampling.noise": (1e-3, "4.3: sigma"),
    "sampling.noisy_sides": ("accompaniment", "4.3: positive samples"),
    "sampling.loudest_noise": (0.0, OFF),
    "sampling.mode_shares": ((1 / 3, 1 / 3, 1 / 3), "of two channels alone"),
    "sampling.alterations": ({}, OFF),
    "sampling.largest_transposition": (6, "of alterations alone"),
    "sampling.smallest_stretch": (0.02, "of alterations alone"),
    "sampling.smallest_shift": (0.06, "of alterations alone"),
    "sampling.largest_shift": (0.6, "of alterations alone"),
    "sampling.shifts_on_beat": (0.0, "of alterations alone"),
    "sampling.equaliser_db": (0.0, OFF),
    "sampling.low_pass": (0.0, OFF),
    "sampling.fastest": (1.0, OFF),
    "sampling.room": (0.0, OFF),
    "sampling.overdrive": (0.0, OFF),
    "sampling.codec": (0.0, OFF),
    "sampling.bleed": (0.0, OFF),
    "sampling.bleed_db": ((-30.0, -10.0), "of bleed alone"),
    "sampling.bleed_as": ("plain", "of bleed alone"),
    "sampling.foreign_bleed": (0.0, OFF),
    "encoder.front_end": ("mel", "4.2: mel-filterbank"),
    "encoder.backbone": ("efficientnet_b0", "4.2"),
    "encoder.embedding_dim": (512, "4.2"),
    "encoder.similarity": ("bilinear", "Eq. 2"),
    "encoder.dropout": (0.1, "4.2"),
    "encoder.drop_connect": (0.2, f"{CODE}: that of EfficientNet-B0"),
    "encoder.pooling": ("average", "4.2: EfficientNet-B0's own"),
    "encoder.head": ("linear", "4.2: a linear projection layer"),
}
"""Each setting of the paper's encoders, and where it is from: a section of the paper if nothing else is said."""

COSINE = "paper_all_cosine"
PLAIN_COSINE = ("plain_cosine", f"{CODE}: a cosine without a temperature, of projections without LayerNorm and tanh")
"""What the cosine curve of Figure 4 has of its own."""

MOISESDB = "moisesdb,stems=file:data/moisesdb"
SLAKH2100 = "slakh2100,deduplicate=false:data/slakh2100"
CORPORA = {
    "paper_moisesdb": (MOISESDB,),
    "paper_slakh2100": (SLAKH2100,),
    "paper_cocochorales": ("cocochorales,tracks=4000:data/cocochorales",),
    "paper_all": (MOISESDB, SLAKH2100, "cocochorales,ensembles=random,tracks=4000:data/cocochorales"),
}
CORPORA[COSINE] = CORPORA["paper_all"]
"""Section 4.1: Slakh2100's 1500 + 375 + 225 tracks, 4000 tracks of CocoChorales. Section 5: all ensembles, and the
Random one alone for COCOLA All. The authors' code makes every file of MoisesDB a stem."""


def flat(config: TrainingConfig) -> dict[str, Any]:
    """Return settings by name, those of a table as "table.name"."""
    found = {}
    for name, value in dataclasses.asdict(config).items():
        if name in ("sampling", "encoder"):
            found |= {f"{name}.{inner}": entry for inner, entry in value.items()}
        else:
            found[name] = value
    return found


def test_the_paper_has_four_encoders_and_one_with_a_cosine() -> None:
    assert {file.stem for file in PAPERS} == set(CORPORA) and len(CORPORA) == 4 + 1


@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_every_value_is_the_paper_s(file: Path) -> None:
    found = flat(load_config(file))
    corpora = found.pop("corpora")
    assert corpora == CORPORA[file.stem] and all(map(reader_of, corpora))
    paper = PAPER | ({"encoder.similarity": PLAIN_COSINE} if file.stem == COSINE else {})
    assert found == {name: value for name, (value, _) in paper.items()}


@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_a_paper_configuration_says_where_each_value_is_from(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if " = " in line and not line.startswith("#")]
    where = [line.partition("  # ")[2] for line in lines if not line.startswith("corpora")]
    assert len(where) > 20 and all(re.match(r"(\d\.\d|Eq\. \d|code)", text) for text in where)


@pytest.mark.parametrize("file", OURS, ids=lambda file: str(file.relative_to(CONFIGS)))
def test_our_own_say_each_difference(file: Path) -> None:
    """The names between backticks in the header are those of the settings that differ: no more, no less."""
    paper = CONFIGS / f"paper_{file.stem}.toml"
    paper = paper if paper in PAPERS else CONFIGS / "paper_all.toml"
    header = re.match(r"(#.*\n)+", file.read_text())
    assert header and paper.name in header[0]
    ours, theirs = flat(load_config(file)), flat(load_config(paper))
    differing = {name for name in ours if ours[name] != theirs[name]}
    assert set(re.findall(r"`([a-z0-9_.]+)`", header[0])) == differing

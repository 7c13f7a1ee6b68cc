"""Settings from TOML: every value is of the kind of its setting, or an error names both."""

from pathlib import Path

import pytest

from cocola_metric.errors import CocolaError, UsageError
from cocola_metric.training.componet.learning.config import load_config as load_componet
from cocola_metric.training.componet.learning.small import load_config as load_small
from cocola_metric.training.encoder.config import load_config
from cocola_metric.training.gmsdi.config import load_gmsdi_config
from cocola_metric.training.msdm.config import load_msdm_config

CONFIGS = Path(__file__).parents[3] / "training" / "configs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = nan", "steps must be a whole number; got nan"),
        ("steps = true", "steps must be a whole number; got True"),
        ("steps = 1e3", "steps must be a whole number; got 1000.0"),
        ("learning_rate = nan", "learning_rate must be a finite number; got nan"),
        ("learning_rate = 'x'", "learning_rate must be a finite number; got 'x'"),
        ("bfloat16 = 1", "bfloat16 must be true or false; got 1"),
        ("optimizer = 1", "optimizer must be a text; got 1"),
        ("corpora = 'x'", "corpora must be a list of a text; got 'x'"),
        ("corpora = [1]", r"corpora must be a list of a text; got \[1\]"),
        ("sampling = 3", "sampling must be a table; got 3"),
        ("encoder = []", r"encoder must be a table; got \[\]"),
        ("sampling = {window = inf}", "window must be a finite number; got inf"),
        ("sampling = {mode_shares = [1.0]}", "mode_shares must be a list of 3 times a finite number"),
        ("sampling = {alterations = {shift = 'x'}}", "alterations must be a table, each entry a finite number"),
    ],
)
def test_a_value_of_another_kind_is_named(tmp_path: Path, text: str, message: str):
    (tmp_path / "a.toml").write_text(text + "\n")
    with pytest.raises(UsageError, match=rf"a\.toml: {message}"):
        load_config(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (load_msdm_config, "model = 3"),
        (load_msdm_config, "model = {unet = 3}"),
        (load_msdm_config, "betas = [0.9]"),
        (load_componet, "pairs = 3"),
        (load_componet, "loop = {steps = 'x'}"),
        (load_small, "small = 3"),
        (load_small, "vae = 3"),
    ],
)
def test_in_every_training(tmp_path: Path, load, text: str):
    (tmp_path / "a.toml").write_text(text + "\n")
    with pytest.raises(CocolaError, match=r"a\.toml: \w+ must be "):
        load(tmp_path / "a.toml")


def test_the_configurations_that_come_along_are_right():
    loaders = {
        "componet_small": load_small,
        "componet": load_componet,
        "gmsdi": load_gmsdi_config,
        "msdm": load_msdm_config,
    }
    files = sorted(CONFIGS.rglob("*.toml"))
    assert len(files) > 10
    for file in files:
        loaders.get(
            file.stem, next((load for name, load in loaders.items() if file.stem.startswith(name)), load_config)
        )(file)


def test_a_configuration_that_comes_along_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("embedded")) == load_config(CONFIGS / "embedded.toml")
    assert load_config(Path("heads/wide"), ["steps=3"]).steps == 3
    (tmp_path / "msdm").mkdir()  # a folder is no configuration
    assert load_msdm_config(Path("msdm")) == load_msdm_config(CONFIGS / "msdm.toml")
    (tmp_path / "embedded").write_text("steps = 7\n")  # a file of one's own comes first
    assert load_config(Path("embedded")).steps == 7


@pytest.mark.parametrize("name", ["embeded", "embedded.toml", "../configs/embedded", "heads"])
def test_a_name_that_none_has_is_answered_with_those_there_are(name: str):
    with pytest.raises(
        UsageError, match=rf"{name}: cannot be read \(.*\); pass a TOML file, or one of all, .*heads/wide$"
    ):
        load_config(Path(name))

"""Reading and converting the original authors' files: both formats, and nothing in them is ever executed."""

import json
import pickle
import stat
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from safetensors.torch import save_file
from seeded_checkpoint import original_state, write_checkpoint

from cocola_metric import CocolaScorer
from cocola_metric.checkpoints import loading, original
from cocola_metric.checkpoints.original import new_folder, read_original
from cocola_metric.cli import score
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import CheckpointError, UsageError

TENSORS = 363
FILES = ["README.md", "config.json", "encoder.onnx", "model.safetensors"]


@pytest.fixture(scope="module")
def models() -> dict[str, CocolaModel]:
    torch.manual_seed(0)
    return {kind: CocolaModel(EncoderConfig(front_end=kind)) for kind in ("mel", "hps")}


@pytest.fixture(scope="module")
def originals(models, tmp_path_factory) -> dict[str, Path]:
    """Files of both released formats, with pickled enumerations of a package that is not there when they are read."""
    folder = tmp_path_factory.mktemp("originals")
    return {kind: write_checkpoint(folder / f"{kind}.ckpt", kind, original_state(m)) for kind, m in models.items()}


def write(path: Path, state: dict[str, Any]) -> Path:
    torch.save({"state_dict": state}, path)
    return path


class Malice:
    """An object whose unpickling leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return leave_mark, (str(self.mark),)


def leave_mark(place: str) -> None:
    Path(place).touch()


class Rebuilt:
    """An object that pickles as any call and any state: what a forger can write."""

    def __init__(self, function: Any, arguments: tuple, state: Any = None) -> None:
        self.recipe = function, arguments, state

    def __reduce__(self):
        return self.recipe


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_both_formats_are_recognised(originals, models, kind: str) -> None:
    config, state = read_original(originals[kind])
    assert config.front_end == kind
    assert len(state) == TENSORS
    assert all(torch.equal(state[key], tensor) for key, tensor in models[kind].state_dict().items())


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_the_authors_format_is_recognised(parity, kind: str) -> None:
    config, state = read_original(parity(kind).checkpoint)
    assert config.front_end == kind
    assert len(state) == TENSORS


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_a_bare_state_dict_will_do(models, tmp_path: Path, kind: str) -> None:
    torch.save(original_state(models[kind]), tmp_path / "bare.ckpt")
    config, state = read_original(tmp_path / "bare.ckpt")
    assert (config.front_end, len(state)) == (kind, TENSORS)


def test_a_malicious_pickle_does_not_run(models, tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "evil.ckpt"
    torch.save({"state_dict": original_state(models["hps"]), "evil": Malice(mark)}, file)
    torch.load(file, weights_only=False)
    assert mark.exists()  # it would
    mark.unlink()
    assert len(read_original(file)[1]) == TENSORS
    torch.save({"state_dict": {"similarity.w": Malice(mark)}}, file)
    with pytest.raises(CheckpointError, match=r"similarity\.w is not a tensor"):
        read_original(file)
    file.write_bytes(pickle.dumps(Malice(mark)))
    with pytest.raises(CheckpointError):
        read_original(file)
    assert not mark.exists()


def test_what_the_program_declared_safe_is_not_safe_here(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "evil.ckpt"
    torch.save({"evil": Malice(mark)}, file)
    with torch.serialization.safe_globals([leave_mark]):
        declared = set(torch.serialization.get_safe_globals())
        torch.load(file, weights_only=True)
        assert mark.exists()  # for the program's own files it is
        mark.unlink()
        with pytest.raises(CheckpointError):
            read_original(file)
        assert set(torch.serialization.get_safe_globals()) == declared
    assert not mark.exists()


@pytest.mark.parametrize(
    "forged",
    [
        Rebuilt(Malice, ("a", 1)),  # REDUCE: the stand-in is called
        Rebuilt(Malice, (1,), {"__class__": int, "x": 1}),  # BUILD with a dictionary
        Rebuilt(Malice, (1,), (None, {"__init__": 1, "__class__": dict})),  # BUILD with slots
        Rebuilt(torch._tensor._rebuild_from_type_v2, (Malice, Malice, (1,), {"__setstate__": 1})),
        Rebuilt(torch._utils._rebuild_parameter_with_state, (torch.zeros(1), False, OrderedDict(), {"x": 1})),
    ],
    ids=["call", "state", "slots", "subclass", "parameter"],
)
def test_stand_ins_cannot_be_abused(models, tmp_path: Path, forged: Rebuilt) -> None:
    """Whatever a forger does with one, it stays empty, and the class is the same afterwards."""
    before, declared = dict(vars(original._StandIn)), torch.serialization.get_safe_globals()
    torch.save({"state_dict": original_state(models["hps"]), "forged": forged}, tmp_path / "forged.ckpt")
    try:
        _, state = read_original(tmp_path / "forged.ckpt")
    except CheckpointError:
        pass
    else:
        assert len(state) == TENSORS
    assert dict(vars(original._StandIn)) == before
    assert not hasattr(original._StandIn(), "__dict__")
    assert set(torch.serialization.get_safe_globals()) == set(declared)


def test_stand_ins_have_no_state() -> None:
    stand_in = original._StandIn("any", 1)
    stand_in.__setstate__({"x": 1})
    with pytest.raises(AttributeError):
        stand_in.x = 1
    with pytest.raises(TypeError):
        stand_in()


def test_many_threads_may_read(originals) -> None:
    results: list[Any] = []

    def read(path: Path) -> None:
        try:
            results.append(len(read_original(path)[1]))
        except CheckpointError as error:
            results.append(error)

    threads = [threading.Thread(target=read, args=(path,)) for path in [*originals.values()] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [TENSORS] * 6


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    text = tmp_path / "notes.ckpt"
    text.write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match=r"notes\.ckpt: not a readable PyTorch checkpoint"):
        read_original(text)
    other = write(tmp_path / "other.ckpt", {"layer.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=r"other\.ckpt: holds no COCOLA model"):
        read_original(other)


def changed(state: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**state, **{key.replace("__", "."): value for key, value in changes.items()}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_norm__weight": 3}, r"layer_norm\.weight is not a tensor \(int\)"),
        ({"similarity__w": torch.eye(512).to_sparse()}, r"similarity\.w is not a plain tensor"),
        ({"similarity__w": torch.eye(512).double()}, r"similarity\.w is float64, which float32 cannot hold exactly"),
        ({"extra": torch.zeros(1), "more": torch.zeros(1)}, r"unexpected extra; unexpected more"),
        ({"encoder__projection__scale": torch.zeros(1)}, r"unexpected encoder\.projection\.scale"),
        ({"encoder__encoder__model__0___blocks__16___bn0__weight": torch.zeros(1)}, r"unexpected .*_blocks\.16\._bn0"),
        ({"encoder__encoder__model__0___blocks__01___bn0__weight": torch.zeros(1)}, r"unexpected .*_blocks\.01\._bn0"),
        (
            {"encoder__encoder__processor__0__spectrogram__window": torch.hann_window(512)},
            r"processor\.0\.spectrogram\.window belongs to another front end",
        ),
        (
            {"encoder__encoder__processor__0__stretch": torch.zeros(1)},
            r"unexpected encoder\.encoder\.processor\.0\.stretch",
        ),
        ({"similarity__w": torch.zeros(3, 3)}, r"similarity\.weight is \(3, 3\), not \(512, 512\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
def test_what_is_wrong_is_listed(models, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    file = write(tmp_path / "wrong.ckpt", changed(original_state(models["mel"]), **changes))
    with pytest.raises(CheckpointError, match=r"wrong\.ckpt: .*" + message):
        loading.load(file)


def test_missing_tensors_of_an_original_are_listed(models, tmp_path: Path) -> None:
    state = original_state(models["hps"])
    for key in ("layer_norm.bias", "encoder.encoder.model.0._conv_stem.weight"):
        del state[key]
    missing = r"missing encoder\.backbone\.conv_stem\.weight; missing encoder\.layer_norm\.bias"
    with pytest.raises(CheckpointError, match=missing):
        loading.load(write(tmp_path / "cut.ckpt", state))


def test_one_channel_without_its_constants_is_no_released_model(models, tmp_path: Path) -> None:
    state = {key: value for key, value in original_state(models["mel"]).items() if ".processor." not in key}
    with pytest.raises(CheckpointError, match=r"conv_stem\.weight is \(32, 1, 3, 3\), not \(32, 2, 3, 3\)"):
        loading.load(write(tmp_path / "one.ckpt", state))


def test_missing_tensors_are_listed(models, tmp_path: Path) -> None:
    loading.save(models["hps"], tmp_path)
    state = models["hps"].state_dict()
    del state["encoder.layer_norm.bias"]
    state["similarity.weight"] = torch.zeros(3, 3)
    save_file(state, tmp_path / loading.WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"missing encoder\.layer_norm\.bias; similarity\.weight is \(3, 3\)"):
        loading.load(tmp_path)


def run(*arguments: object, capsys) -> tuple[int, dict, str]:
    code = score.convert([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {}, captured.err


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_the_command_writes_a_folder(originals, models, tmp_path: Path, kind: str, capsys) -> None:
    folder = tmp_path / "deep" / "out"
    code, result, messages = run(originals[kind], folder, capsys=capsys)
    weights = folder / loading.WEIGHTS_FILE
    assert (code, messages) == (0, "")
    assert result == {
        "folder": str(folder),
        "sha256": loading.file_sha256(weights),
        "front_end": kind,
        "tensors": TENSORS,
    }
    assert sorted(file.name for file in folder.iterdir()) == FILES
    assert [entry.name for entry in folder.parent.iterdir()] == ["out"]
    assert json.loads((folder / loading.CONFIG_FILE).read_text())["front_end"] == kind
    written, expected = safetensors.torch.load_file(weights), models[kind].state_dict()
    assert written.keys() == expected.keys()
    assert all(written[key].numpy().tobytes() == expected[key].numpy().tobytes() for key in expected)
    assert {tensor.dtype for tensor in written.values()} == {torch.float32, torch.int64}
    card = (folder / "README.md").read_text()
    assert f"`{kind}.ckpt`" in card and loading.file_sha256(originals[kind]) in card
    assert stat.S_IMODE(weights.stat().st_mode) == stat.S_IMODE((folder / "README.md").stat().st_mode)


def test_converting_twice_gives_the_same_bytes(originals, tmp_path: Path, capsys) -> None:
    for name in ("one", "two"):
        run(originals["hps"], tmp_path / name, capsys=capsys)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("kind", ["mel", "hps"])
def test_a_file_and_its_folder_score_alike(originals, tmp_path: Path, kind: str, capsys) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 7 * 16_000)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise[0], 16_000)
    soundfile.write(tmp_path / "b.wav", noise[1].cumsum() / 100, 16_000)
    run(originals[kind], tmp_path / "out", capsys=capsys)
    scorers = [CocolaScorer.from_pretrained(place, device="cpu") for place in (originals[kind], tmp_path / "out")]
    first, second = (scorer.score_windows(tmp_path / "a.wav", tmp_path / "b.wav") for scorer in scorers)
    assert first.starts == second.starts
    assert first.scores == pytest.approx(second.scores, abs=1e-5)  # rounding depends on where memory lies
    states = [loading.load(place).model.state_dict() for place in (originals[kind], tmp_path / "out")]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_an_existing_folder_is_kept(originals, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "out"
    run(originals["mel"], folder, capsys=capsys)
    code, result, messages = run(originals["hps"], folder, capsys=capsys)
    assert code == 2 and not result and "out exists; pass another name, or --force" in messages
    assert loading.load(folder).model.config.front_end == "mel"
    code, result, _ = run(originals["hps"], folder, "--force", capsys=capsys)
    assert code == 0 and loading.load(folder).model.config.front_end == "hps"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_force_replaces_nothing_but_checkpoints(originals, tmp_path: Path, capsys) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    code, _, messages = run(originals["hps"], tmp_path / "thesis", "--force", capsys=capsys)
    assert code == 2 and "is not a checkpoint folder" in messages
    assert [file.name for file in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_a_bad_checkpoint_writes_nothing(originals, models, tmp_path: Path, capsys) -> None:
    run(originals["hps"], tmp_path / "out", capsys=capsys)
    before = loading.file_sha256(tmp_path / "out" / loading.WEIGHTS_FILE)
    bad = write(tmp_path / "bad.ckpt", changed(original_state(models["hps"]), layer_norm__weight=torch.zeros(2)))
    for arguments in ((bad, tmp_path / "new"), (bad, tmp_path / "out", "--force"), (tmp_path / "no.ckpt", "new")):
        code, result, messages = run(*arguments, capsys=capsys)
        assert code == 1 and not result and "cocola-convert: " in messages
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bad.ckpt", "out"]
    assert loading.file_sha256(tmp_path / "out" / loading.WEIGHTS_FILE) == before


def test_an_interrupted_folder_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config.json").write_text("old")
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out", replace=True) as folder:
        (folder / "config.json").write_text("new")
        raise KeyboardInterrupt
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "config.json").read_text() == "old"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match="cannot be written"),
        new_folder(tmp_path / "file" / "out", replace=False),
    ):
        pass


def test_help_imports_no_torch() -> None:
    code = (
        "import sys\nfrom cocola_metric.cli import score as cli\n"
        "try: cli.convert(['--help'])\nexcept SystemExit as stop: assert stop.code == 0\n"
        "assert not {'torch', 'numpy', 'safetensors'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "cocola-convert" in done.stdout


def test_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stop:
        score.convert(["only-one"])
    assert stop.value.code == 2

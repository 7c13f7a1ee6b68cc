"""Weights from and to the Hub: the real huggingface_hub in its own process, over TCP, against a stand-in server."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hub_server import TOKEN, HubServer

from cocola_metric import CocolaScorer, identity
from cocola_metric.checkpoints import loading
from cocola_metric.checkpoints.known import GRAPH_FILE
from cocola_metric.encoder.model import CocolaModel, EncoderConfig
from cocola_metric.errors import CheckpointError

EMBEDDED = {name: (loading.EMBEDDED_FOLDER / name).read_bytes() for name in (loading.CONFIG_FILE, loading.WEIGHTS_FILE)}
SHA256 = hashlib.sha256(EMBEDDED[loading.WEIGHTS_FILE]).hexdigest()
OTHER = {**EMBEDDED, loading.WEIGHTS_FILE: b""}  # never built: for tests that end before
LIST, CONFIG, WEIGHTS = "GET /api/models", r"HEAD .*config\.json", r"GET /cdn/"
UNKNOWN_COMMIT = "0123456789" * 4


class User:
    """A process that uses the package, with a cache of its own."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.environment = clean_environment(home, url)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parents[1] / "helpers" / "hub_user.py")],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def call(self, call: str, **arguments: Any) -> dict[str, Any]:
        self.process.stdin.write(json.dumps({"call": call, **arguments}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def load(self, name: str, **arguments: Any) -> dict[str, Any]:
        answer = self.call("load", name=name, **arguments)
        return answer.get("result") or pytest.fail(answer["error"])

    def refused(self, name: str, **arguments: Any) -> str:
        """The message of the one error that loading gives."""
        answer = self.call("load", name=name, **arguments)
        assert answer["kind"] == "CheckpointError"
        assert "\n" not in answer["error"]
        return answer["error"]

    def repository_cache(self, repo_id: str) -> Path:
        return self.home / "hub" / f"models--{repo_id.replace('/', '--')}"


def clean_environment(home: Path, url: str) -> dict[str, str]:
    """The caller's environment, with the Hub at another address and Xet, which the stand-in does not speak, off."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return kept | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def user(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    user = User(tmp_path_factory.mktemp("home"), server.url)
    yield user
    user.process.kill()
    user.process.communicate()


def model(seed: int = 0) -> CocolaModel:
    torch.manual_seed(seed)
    return CocolaModel()


def layout_of(made: CocolaModel, folder: Path) -> dict[str, bytes]:
    loading.save(made, folder)
    return {name: (folder / name).read_bytes() for name in (loading.CONFIG_FILE, loading.WEIGHTS_FILE)}


# ---- loading ----


def test_the_embedded_encoder_never_connects(user: User, server: HubServer) -> None:
    with server.recorded() as requests:
        answer = user.call("load", name="embedded")
    assert answer["result"]["sha256"] == SHA256
    assert answer["connections"] == len(requests) == 0


def test_first_load_downloads_and_the_next_asks_only_which_commit(user: User, server: HubServer) -> None:
    commit = server.add("lab/first", {**EMBEDDED, "README.md": b"not needed"})
    with server.recorded() as requests:
        first = user.load("lab/first")
        assert requests == [
            "GET /api/models/lab/first/revision/main",
            "HEAD /lab/first/resolve/main/config.json",
            "GET /lab/first/resolve/main/config.json",
            f"HEAD /lab/first/resolve/{commit}/model.safetensors",
            f"GET /cdn/{SHA256}",
        ]
    assert first["signature"].startswith(f"COCOLA|model:lab/first|weights:{SHA256[:8]}|")
    assert first["score"] == pytest.approx(user.load("embedded")["score"], abs=1e-5)
    with server.recorded() as requests:
        assert user.load("lab/first") == first
        assert requests == ["GET /api/models/lab/first/revision/main", "HEAD /lab/first/resolve/main/config.json"]


def test_a_pinned_revision_is_asked_for_once(user: User, server: HubServer) -> None:
    commit = server.add("lab/pinned", EMBEDDED)
    server.repositories["lab/pinned"].commit(OTHER)
    first = user.load("lab/pinned", revision=commit)
    assert first["sha256"] == SHA256
    with server.recorded() as requests:
        answer = user.call("load", name="lab/pinned", revision=commit)
        assert answer["result"] == first
        assert answer["connections"] == len(requests) == 0


def test_a_branch_that_moved_is_followed(user: User, server: HubServer, tmp_path: Path) -> None:
    server.add("lab/moving", EMBEDDED)
    before = user.load("lab/moving")
    server.repositories["lab/moving"].commit(layout_of(model(), tmp_path))
    after = user.load("lab/moving")
    assert (before["sha256"], after["sha256"]) == (SHA256, loading.file_sha256(tmp_path / loading.WEIGHTS_FILE))
    with server.down():
        assert user.load("lab/moving") == after


def test_a_tag_and_a_branch_with_a_name(user: User, server: HubServer) -> None:
    server.add("lab/tagged", OTHER)
    server.repositories["lab/tagged"].commit(EMBEDDED, "v1.0")
    assert user.load("lab/tagged", revision="v1.0")["sha256"] == SHA256


def test_a_repository_with_an_original_checkpoint(user: User, server: HubServer, parity) -> None:
    file = parity("mel").checkpoint
    server.add("lab/original", {"README.md": b"", "checkpoints/epoch=87.ckpt": file.read_bytes()})
    loaded = user.load("lab/original")
    local = user.load(str(file))
    assert loaded["sha256"] == local["sha256"] and loaded["score"] == pytest.approx(local["score"], abs=1e-5)
    with server.down():
        assert user.load("lab/original") == loaded


def test_a_cut_transfer_goes_on_where_it_broke(user: User, server: HubServer, tmp_path: Path) -> None:
    files = layout_of(model(1), tmp_path)
    server.add("lab/cut", files)
    with server.recorded():
        server.fail(WEIGHTS, cut=12 * 2**20)  # the client writes in pieces of 10 MiB
        loaded = user.load("lab/cut")
        assert server.ranges == [f"bytes={10 * 2**20}-"]
    assert loaded["sha256"] == hashlib.sha256(files[loading.WEIGHTS_FILE]).hexdigest()


def test_a_server_that_is_busy_is_asked_again(user: User, server: HubServer) -> None:
    server.add("lab/busy", EMBEDDED)
    with server.recorded() as requests:
        server.fail(LIST, status=500)
        server.fail(CONFIG, status=503)
        server.fail(WEIGHTS, status=429, headers={"Retry-After": "0"})
        server.fail(WEIGHTS, status=500)
        assert user.load("lab/busy")["sha256"] == SHA256
        assert [
            sum(part in request for request in requests) for part in ("/api/", "HEAD /lab/busy/resolve/main", "/cdn/")
        ] == [2, 2, 3]


def test_a_busy_server_and_a_cache(user: User, server: HubServer) -> None:
    server.add("lab/lazy", EMBEDDED)
    first = user.load("lab/lazy")
    with server.recorded() as requests:
        server.fail(LIST, status=503)
        assert user.load("lab/lazy") == first
        assert requests == ["GET /api/models/lab/lazy/revision/main"]


# ---- without a network ----


def test_without_network_the_cache_answers_after_one_attempt(user: User, server: HubServer) -> None:
    server.add("lab/away", EMBEDDED)
    first = user.load("lab/away")
    with server.down():
        answer = user.call("load", name="lab/away")
    assert answer["result"] == first
    assert answer["connections"] == 1


def test_without_network_and_cache_there_is_one_attempt(user: User, server: HubServer) -> None:
    with server.down():
        answer = user.call("load", name="lab/never-seen")
    assert answer["connections"] == 1
    assert answer["kind"] == "CheckpointError"
    assert f"lab/never-seen (revision main) on {server.url}: failed (Connect" in answer["error"]
    assert "check the network and HF_ENDPOINT, or use a local folder" in answer["error"]


def test_offline_mode(user: User, server: HubServer) -> None:
    server.add("lab/offline", EMBEDDED)
    user.load("lab/offline")
    code = (
        "from cocola_metric.checkpoints.hub_client import open_snapshot as o; print(o({!r}).path('model.safetensors'))"
    )
    environment = {**user.environment, "HF_HUB_OFFLINE": "1"}
    with server.recorded() as requests:
        found = run(code.format("lab/offline"), environment)
        assert loading.file_sha256(Path(found.stdout.strip())) == SHA256
        missing = run(code.format("lab/not-here"), environment)
        assert "offline mode is on; unset HF_HUB_OFFLINE" in missing.stderr.splitlines()[-1]
        assert requests == []


def run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)


# ---- the cache ----


def test_two_processes_at_once(server: HubServer, tmp_path: Path) -> None:
    server.add("lab/shared", EMBEDDED)
    code = "from cocola_metric.checkpoints import hub_client as h; print(h.open_snapshot('lab/shared')"
    code += ".path('model.safetensors'))"
    with server.recorded() as requests:
        both_asked = lambda: sum("HEAD" in request and "safetensors" in request for request in requests) == 2  # noqa: E731
        server.fail(WEIGHTS, before=lambda: server.wait_for(both_asked))
        environment = clean_environment(tmp_path, server.url)
        users = [
            subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        paths = [user.communicate(timeout=60)[0].strip() for user in users]
        assert sum("/cdn/" in request for request in requests) == 1
    assert paths[0] == paths[1]
    assert loading.file_sha256(Path(paths[0])) == SHA256


def test_a_read_only_cache_that_holds_the_files(user: User, server: HubServer) -> None:
    commit = server.add("lab/fixed", EMBEDDED)
    server.add("lab/not-in-it", EMBEDDED)
    first = user.load("lab/fixed")
    user.call("make_read_only", value=True)
    try:
        assert user.load("lab/fixed") == user.load("lab/fixed", revision=commit) == first
        assert "cannot be written; set HF_HOME to a folder that can" in user.refused("lab/not-in-it")
    finally:
        user.call("make_read_only", value=False)


def test_a_full_disk(user: User, server: HubServer) -> None:
    server.add("lab/large", EMBEDDED)
    user.call("fill_disk", full=True)
    message = user.refused("lab/large")
    user.call("fill_disk", full=False)
    assert "lab/large (revision main)" in message
    assert "no space left for the cache" in message and "set HF_HOME to another disk" in message
    assert not [file for file in user.repository_cache("lab/large").rglob("*") if file.name == SHA256]
    assert user.load("lab/large")["sha256"] == SHA256


def test_a_file_that_is_damaged_on_the_way_is_refused_and_not_kept(user: User, server: HubServer) -> None:
    server.add("lab/damaged", EMBEDDED)
    weights = bytearray(EMBEDDED[loading.WEIGHTS_FILE])
    weights[-1] ^= 1
    server.fail(WEIGHTS, body=bytes(weights))
    message = user.refused("lab/damaged")
    assert "lab/damaged (revision " in message and f"not {SHA256}; it was deleted from the cache" in message
    assert not [file for file in user.repository_cache("lab/damaged").rglob("*") if file.name == SHA256]
    assert user.load("lab/damaged")["sha256"] == SHA256


def test_a_cached_file_that_rots_is_refused_and_loaded_anew(user: User, server: HubServer) -> None:
    server.add("lab/rotten", EMBEDDED)
    user.load("lab/rotten")
    blob = user.repository_cache("lab/rotten") / "blobs" / SHA256
    blob.write_bytes(EMBEDDED[loading.WEIGHTS_FILE][:-1] + b"\xff")
    with server.down():
        assert "is damaged or replaced" in user.refused("lab/rotten")
    assert user.load("lab/rotten")["sha256"] == SHA256


def test_a_known_name_with_a_repository(user: User, server: HubServer) -> None:
    commit = server.add("lab/known", EMBEDDED)
    server.repositories["lab/known"].commit(OTHER)
    user.call("know", name="known", repo_id="lab/known", revision=commit, sha256=SHA256)
    assert user.load("known")["signature"].startswith(f"COCOLA|model:known|weights:{SHA256[:8]}|")
    user.call("know", name="known", repo_id="lab/known", revision=commit, sha256="0" * 64)
    message = user.refused("known")
    assert (
        f"lab/known (revision {commit}): model.safetensors is damaged or replaced: its SHA-256 is {SHA256}" in message
    )
    assert not (user.repository_cache("lab/known") / "snapshots" / commit / loading.WEIGHTS_FILE).exists()


# ---- refusals ----


@pytest.mark.parametrize(
    ("repo_id", "revision", "message"),
    [
        ("lab/absent", None, "no such repository, or a private one; check the name"),
        ("lab/secret", None, "set HF_TOKEN or pass token="),
        ("lab/there", "v9", r"lab/there (revision v9) on"),
        ("lab/there", "v9", "no such branch, tag or commit"),
        ("lab/there", UNKNOWN_COMMIT, "no such branch, tag or commit"),
        ("lab/empty", None, "holds no encoder, neither config.json with model.safetensors nor a .ckpt file"),
        ("lab/many", None, "holds several .ckpt files (a.ckpt, b.ckpt); download one and pass its path"),
        ("lab/other", None, "not an encoder configuration of this version"),
        ("lab/bad--name", None, "not a valid repository name"),
    ],
)
def test_repositories_that_cannot_be_loaded(
    user: User, server: HubServer, repo_id: str, revision: str | None, message: str
) -> None:
    server.add("lab/there", OTHER)
    server.add("lab/secret", OTHER, private=True)
    server.add("lab/empty", {"README.md": b""})
    server.add("lab/many", {"a.ckpt": b"", "b.ckpt": b""})
    server.add("lab/other", {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"gigabytes"})
    with server.recorded() as requests:
        refusal = user.refused(repo_id, revision=revision)
        assert not any("safetensors" in request for request in requests)
    assert message in refusal


def test_a_file_that_the_list_names_but_the_hub_lacks(user: User, server: HubServer) -> None:
    server.add("lab/hole", EMBEDDED)
    entry = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": server.repositories["lab/hole"].refs["main"]}
    with server.recorded():
        server.fail(r"HEAD .*safetensors", status=404, headers=entry)
        assert "no file model.safetensors; name a revision that has it" in user.refused("lab/hole")


def test_a_private_repository_opens_with_a_token(user: User, server: HubServer) -> None:
    server.add("lab/private", EMBEDDED, private=True)
    assert "access refused (401); check the token" in user.refused("lab/private", token="hf_wrong")
    with server.recorded():
        assert user.load("lab/private", token=TOKEN)["sha256"] == SHA256
        assert server.tokens == [f"Bearer {TOKEN}"] * 4 + [None]  # the storage host gets none
    server.add("lab/private-too", EMBEDDED, private=True)
    user.call("use_token", token=TOKEN)
    try:
        assert user.load("lab/private-too")["sha256"] == SHA256
    finally:
        user.call("use_token", token=None)


def test_a_gated_repository(user: User, server: HubServer) -> None:
    server.add("lab/gated", EMBEDDED)
    with server.recorded():
        server.fail(LIST, status=403, headers={"X-Error-Code": "GatedRepo"})
        assert "access needs an agreement" in user.refused("lab/gated")


@pytest.mark.parametrize(("status", "message"), [(429, "too many requests (429)"), (403, "access refused (403)")])
def test_answers_that_do_not_change(user: User, server: HubServer, status: int, message: str) -> None:
    with server.recorded() as requests:
        server.fail(LIST, times=9, status=status, headers={"Retry-After": "3600"})
        assert message in user.refused("lab/refusing")
        assert len(requests) == 1


def test_only_repositories_have_revisions(tmp_path: Path) -> None:
    for name in ("embedded", tmp_path, str(tmp_path), tmp_path / "absent", "no-such-name"):
        with pytest.raises(
            CheckpointError, match=r"revision is only for Hub repositories, and .* is not one; got 'v1'"
        ):
            loading.load(name, revision="v1")


@pytest.mark.parametrize("name", [Path("lab/absent"), "runs/absent.ckpt", "./lab/absent", "a/b/c", "no-such-name"])
def test_what_can_be_no_repository_is_not_looked_for(name: str | Path) -> None:
    with pytest.raises(CheckpointError, match=r"not found; pass a file, a folder, a Hub repository .* or a known name"):
        loading.load(name)


@pytest.mark.parametrize(
    "name", [name for name, known in loading.CHECKPOINTS.items() if not (known.folder or known.published)]
)
def test_known_names_that_are_not_published_say_how_to_get_them(name: str) -> None:
    assert (loading.CHECKPOINTS[name].repo_id, loading.CHECKPOINTS[name].sha256) == (None, None)
    with pytest.raises(CheckpointError, match=rf"^{name}: .*(pass its path|pass the path)"):
        loading.load(name)


# ---- identity, saving and publishing ----


def test_weights_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_SETTLED_NANOSECONDS", 0)  # files this young are read again otherwise
    digests = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *arguments: digests.append(1) or real(*arguments))
    loading.save(model(), tmp_path)
    first, again = loading.load(tmp_path), loading.load(tmp_path)
    assert first.sha256 == again.sha256 and len(digests) == 1
    loading.save(model(1), tmp_path)
    assert loading.load(tmp_path).sha256 != first.sha256 and len(digests) == 2


@pytest.mark.parametrize("source", ["embedded", "folder"])
def test_saving_gives_back_the_loaded_file(source: str, tmp_path: Path) -> None:
    if source == "folder":
        loading.save(model(2), tmp_path / "made")
    scorer = CocolaScorer.from_pretrained(tmp_path / "made" if source == "folder" else "embedded", device="cpu")
    again = CocolaScorer.from_pretrained(scorer.save_pretrained(tmp_path / "saved"), device="cpu")
    again.save_pretrained(tmp_path / "again")
    files = [
        (folder / loading.WEIGHTS_FILE).read_bytes()
        for folder in (
            tmp_path / "made" if source == "folder" else loading.EMBEDDED_FOLDER,
            tmp_path / "saved",
            tmp_path / "again",
        )
    ]
    assert files[0] == files[1] == files[2]
    assert (tmp_path / "saved" / GRAPH_FILE).read_bytes() == (tmp_path / "again" / GRAPH_FILE).read_bytes()
    assert scorer.weights_sha256 == again.weights_sha256 == hashlib.sha256(files[0]).hexdigest()


def test_saving_a_model_that_was_never_stored(tmp_path: Path) -> None:
    made = CocolaModel(EncoderConfig(front_end="mel", similarity="cosine"))
    expected = {key: tensor.clone() for key, tensor in made.state_dict().items()}
    CocolaScorer(made, device="cpu").save_pretrained(tmp_path)
    saved = safetensors.torch.load_file(tmp_path / loading.WEIGHTS_FILE)
    assert saved.keys() == expected.keys()
    assert all(torch.equal(saved[key], expected[key]) for key in expected)
    assert json.loads((tmp_path / loading.CONFIG_FILE).read_text())["similarity"] == "cosine"


def test_an_original_checkpoint_is_saved_in_our_layout(parity, tmp_path: Path) -> None:
    original = CocolaScorer.from_pretrained(parity("hps").checkpoint, device="cpu")
    saved = CocolaScorer.from_pretrained(original.save_pretrained(tmp_path), device="cpu")
    clip = parity("hps").clips["s0_cond"]
    assert np.allclose(saved.embed(clip), original.embed(clip), atol=1e-5)  # by its graph, and by torch


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = CocolaScorer.from_pretrained(device="cpu")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="file/saved: cannot be written: a part of its path is a file"):
        scorer.save_pretrained(tmp_path / "file" / "saved")

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(CheckpointError, match="No space left on device"):
        scorer.save_pretrained(tmp_path / "saved")
    assert list((tmp_path / "saved").iterdir()) == []


def test_pushing_and_loading_give_the_same_scores(user: User, server: HubServer) -> None:
    with server.recorded() as requests:
        options = {"license": "mit", "training_data": "Rendered music.", "results": {"accuracy | K = 2": "68.8 %"}}
        pushed = user.call("push", name="embedded", repo_id="lab/published", token=TOKEN, private=True, **options)
        assert f"PUT /lfs/{SHA256}" in requests
    repository = server.repositories["lab/published"]
    assert repository.private and repository.refs["main"] == pushed["result"]
    files = repository.commits[pushed["result"]]
    assert files[loading.WEIGHTS_FILE] == EMBEDDED[loading.WEIGHTS_FILE]
    assert files[GRAPH_FILE] == (loading.EMBEDDED_FOLDER / GRAPH_FILE).read_bytes()
    card = files["README.md"].decode()
    assert card.startswith("---\n") and "library_name: cocola-metric\n" in card and "license: mit\n" in card
    assert f"SHA-256 of `model.safetensors`: `{SHA256}`" in card
    assert 'from_pretrained("lab/published")' in card and "| accuracy \\| K = 2 | 68.8 % |" in card
    loaded, embedded = user.load("lab/published", revision=pushed["result"], token=TOKEN), user.load("embedded")
    assert loaded["sha256"] == embedded["sha256"]
    assert loaded["score"] == pytest.approx(embedded["score"], abs=1e-5)


def test_pushing_to_a_branch_of_a_repository_that_exists(user: User, server: HubServer) -> None:
    main = server.add("lab/branches", OTHER)
    pushed = user.call("push", name="embedded", repo_id="lab/branches", token=TOKEN, revision="v2")
    assert server.repositories["lab/branches"].refs == {"main": main, "v2": pushed["result"]}
    assert user.load("lab/branches", revision="v2")["sha256"] == SHA256


def test_pushing_again_keeps_what_the_card_states(user: User, server: HubServer) -> None:
    files = {"README.md": b"---\nlicense: cc-by-4.0\ndatasets:\n- lab/songs\n---\n\n# Ours\n\nOur words.\n"}
    server.add("lab/carded", files)
    options = {"name": "embedded", "repo_id": "lab/carded", "token": TOKEN}
    user.call("push", **options, training_data="Rendered music.", results={"songs": 12})
    pushed = user.call("push", **options, results={"hours: ours (test)": 2.5})
    card = server.repositories["lab/carded"].commits[pushed["result"]]["README.md"].decode()
    for fact in ("license: cc-by-4.0", "- lab/songs", "# Ours\n\nOur words.", "Rendered music.", "| songs | 12 |"):
        assert fact in card
    assert "| hours: ours (test) | 2.5 |" in card and "model-index:" in card and card.count("value: 12") == 1
    refused = user.call("push", **options, license="mit")
    assert refused["kind"] == "CheckpointError" and "its card says license: cc-by-4.0; got mit" in refused["error"]
    assert server.repositories["lab/carded"].refs["main"] == pushed["result"]


def test_a_card_that_changed_during_a_push_is_not_overwritten(user: User, server: HubServer) -> None:
    server.add("lab/raced", {"README.md": b"# Ours\n"})
    repository = server.repositories["lab/raced"]
    server.fail("preupload", before=lambda: repository.commit({"README.md": b"# Somebody else's\n"}))
    with server.recorded():
        answer = user.call("push", name="embedded", repo_id="lab/raced", token=TOKEN)
    assert answer["kind"] == "CheckpointError" and "412" in answer["error"]
    assert repository.at("main")[1] == {"README.md": b"# Somebody else's\n"}


def test_a_card_that_cannot_be_read_stops_a_push(user: User, server: HubServer) -> None:
    commit = server.add("lab/damaged", {"README.md": b"---\na: [1\n---\ntext\n"})
    answer = user.call("push", name="embedded", repo_id="lab/damaged", token=TOKEN)
    assert answer["kind"] == "CheckpointError" and "README.md: not a model card" in answer["error"]
    assert server.repositories["lab/damaged"].refs["main"] == commit


@pytest.mark.parametrize(
    ("repo_id", "token", "message"),
    [
        ("lab/mine", None, "lab/mine (revision main) on http://127.0.0.1"),
        ("lab/mine", None, "access refused (401); check the token"),
        ("mine", TOKEN, "repo_id must be the name of a Hub repository, organisation/name; got 'mine'"),
    ],
)
def test_pushes_that_are_refused(user: User, repo_id: str, token: str | None, message: str) -> None:
    answer = user.call("push", name="embedded", repo_id=repo_id, token=token)
    assert answer["kind"] == "CheckpointError" and message in answer["error"]

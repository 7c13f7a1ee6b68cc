"""A user's process: takes calls as JSON lines on stdin, answers each on stdout with a result or the error it got."""

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants, file_download

from cocola_metric import CocolaScorer
from cocola_metric.checkpoints import known, loading
from cocola_metric.checkpoints.known import Checkpoint

WRITES = {"os.mkdir", "os.rename", "os.remove", "os.symlink", "os.chmod", "os.utime", "os.rmdir"}
connections = 0
read_only = False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Count connections, and refuse writes to the cache while it is read-only: permissions do not stop root."""
    global connections
    if event == "socket.connect":
        connections += 1
    if not read_only or not arguments or not isinstance(arguments[0], str | os.PathLike):
        return
    path = Path(arguments[0])
    writes = event in WRITES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if writes and path.is_relative_to(constants.HF_HOME) and not (event == "os.mkdir" and path.exists()):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def load(name: str, revision: str | None = None, token: str | None = None) -> dict[str, Any]:
    scorer = CocolaScorer.from_pretrained(name, revision=revision, token=token, device="cpu")
    noise = torch.rand(2, 1, 80_000, generator=torch.Generator().manual_seed(0)) - 0.5
    score = scorer.similarity_matrix([noise[0]], [noise[1]], sample_rate=16_000).item()
    return {"signature": scorer.signature, "sha256": scorer.weights_sha256, "score": score}


def save(name: str, folder: str) -> None:
    CocolaScorer.from_pretrained(name, device="cpu").save_pretrained(folder)


def push(name: str, repo_id: str, **options: Any) -> str:
    return CocolaScorer.from_pretrained(name, device="cpu").push_to_hub(repo_id, **options)


def know(name: str, **entry: Any) -> None:
    """Fill in a row of the table of known encoders."""
    known.CHECKPOINTS[name] = Checkpoint("noise", "hps", **entry)


def fill_disk(full: bool) -> None:
    file_download.http_get = no_space if full else HTTP_GET


def make_read_only(value: bool) -> None:
    global read_only
    read_only = value


def use_token(token: str | None) -> None:
    os.environ.pop("HF_TOKEN", None)
    os.environ.update({"HF_TOKEN": token} if token else {})


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


HTTP_GET = file_download.http_get
CALLS = {call.__name__: call for call in (load, save, push, know, fill_disk, make_read_only, use_token)}


def main() -> None:
    global connections
    assert loading.CHECKPOINTS is known.CHECKPOINTS
    sys.addaudithook(watch)
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        call = json.loads(line)
        connections = 0
        try:
            answer = {"result": CALLS[call.pop("call")](**call)}
        except Exception as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        print(json.dumps({**answer, "connections": connections}), file=answers, flush=True)


if __name__ == "__main__":
    main()

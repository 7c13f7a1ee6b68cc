"""Opening an encoder as a graph, without torch, if it has one."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoder import FRONT_ENDS, ArrayEncoder
from ..errors import CheckpointError
from ..identity import file_sha256
from ..json_files import read_json
from .config_file import read_config, refuse_other_weights
from .finding import Found, find, unreadable_named
from .graph_file import LATER_FIELDS, STORED, read_graph
from .graph_floats import in_float32
from .known import CONFIG_FILE, EMBEDDED_FOLDER, GRAPH_FILE, WEIGHTS_FILE, WEIGHTS_KEY, PublishedFile
from .safetensors_file import read_arrays, tensor_table

_log = logging.getLogger(__name__)
_REMEDY = "fetch or convert the checkpoint again"


@dataclass(frozen=True)
class OpenedGraph:
    """An encoder without torch, and the identity of its weights."""

    name: str
    encoder: ArrayEncoder
    sha256: str


def find_encoder(
    name: str | os.PathLike[str], *, revision: str | None = None, token: str | bool | None = None
) -> Found:
    """Find an encoder by the arguments of `load`, without torch.

    Raises:
        CheckpointError: there is no encoder of that name, or it cannot be downloaded.
    """
    return find(name, revision=revision, token=token, check_config=_check, convert=_convert)


@unreadable_named()
def open_graph(found: Found) -> OpenedGraph | None:
    """Open the graph of an encoder. If it has none, log that torch must run it, and return None.

    Raises:
        CheckpointError: the graph cannot be run.
    """
    name = found.name
    if found.path.is_file():
        _log.warning(
            "%s: torch runs it, which takes seconds to start; cocola-convert writes a folder that starts fast",
            name,
        )
        return None
    if not (found.path / GRAPH_FILE).is_file():
        if (found.path / CONFIG_FILE).is_file() and (found.path / WEIGHTS_FILE).is_file():
            _log.warning(
                "%s: no %s, so torch runs it, which takes seconds to start; cocola-convert writes a fast folder",
                name,
                GRAPH_FILE,
            )
        return None
    return _opened(found)


def _convert(name: str, published: PublishedFile) -> Path:
    from .loading import convert_published  # reads a file of torch

    return convert_published(name, published)


def _opened(found: Found) -> OpenedGraph:
    folder, weights = found.path, found.path / WEIGHTS_FILE
    for file in (folder / CONFIG_FILE, weights):
        if not file.is_file():
            raise CheckpointError(
                f"{folder}: no {file.name}; pass a checkpoint folder, which holds {CONFIG_FILE} and {WEIGHTS_FILE}"
            )
    front_end, config = _front_end(folder / CONFIG_FILE)
    table = tensor_table(weights)
    graph, names = read_graph(folder, config, table)
    refuse_other_weights(folder)
    arrays = read_arrays(weights, table)
    graph, tensors = in_float32(graph, {name: arrays[name.removesuffix(STORED)] for name in names})
    _refuse_unfit(arrays | tensors, weights)
    encoder = ArrayEncoder(graph, tensors, front_end, str(folder / GRAPH_FILE), config)
    return OpenedGraph(found.name, encoder, file_sha256(weights))


def _check(file: Path) -> None:
    """Refuse a file that is not a configuration. Unknown settings are left to torch's loader, which reports them."""
    _, config = _front_end(file)
    usual = read_json(EMBEDDED_FOLDER / CONFIG_FILE, error=CheckpointError, remedy=_REMEDY)
    if config.keys() - usual.keys() - LATER_FIELDS.keys() - {WEIGHTS_KEY}:
        read_config(file)


def _front_end(file: Path) -> tuple[str, Mapping[str, Any]]:
    """Return the front end of a configuration, and its whole content; the graph's hash covers the other settings."""
    config = read_json(file, error=CheckpointError, remedy=_REMEDY)
    front_end = config.get("front_end", "hps")
    if front_end not in FRONT_ENDS:
        known = ", ".join(sorted(FRONT_ENDS))
        raise CheckpointError(f"{file}: front_end must be one of {known}; got {front_end!r:.40}; {_REMEDY}")
    return front_end, config


def _refuse_unfit(arrays: Mapping[str, NDArray[Any]], weights: Path) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{weights}: NaN or infinite values in {name!r:.80}; fetch it again")

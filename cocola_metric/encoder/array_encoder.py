"""An encoder without torch: its front end in NumPy, its network as an ONNX graph, one thread a call."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..errors import CheckpointError
from .front_ends import ArrayFrontEnd, select_mode
from .modes import Mode

INPUT = "features"
OUTPUTS = ("embedding", "left", "right")
"""Names of what a graph returns; without ``right``, the accompaniment's side of the similarity is the embedding."""


class Sides(NamedTuple):
    """Embeddings, and what a similarity makes of them: a score is left(h_y) . right(h_x).

    Attributes:
        embeddings: of each window, (K, D).
        left: the conditioning's side of the similarity, (K, S).
        right: the accompaniment's side, (K, S).
    """

    embeddings: FloatArray
    left: FloatArray
    right: FloatArray


class ArrayEncoder:
    """Windows to embeddings and to both sides of their similarity, on a CPU.

    Any number of threads may call it at once: each works alone, in the thread that it is.

    Args:
        graph: ONNX model, as `checkpoints.graph_file` has checked it.
        tensors: what its external initialisers are, by name.
        front_end: a key of ``FRONT_ENDS``.
        source: what messages call the graph.
        config: of the encoder, as config.json has it.

    Raises:
        CheckpointError: ONNX Runtime cannot run the graph, or its input and outputs are of other shapes.
    """

    def __init__(
        self, graph: bytes, tensors: Mapping[str, NDArray[Any]], front_end: str, source: str, config: Mapping[str, Any]
    ) -> None:
        self.front_end = ArrayFrontEnd(front_end)
        self.name = front_end
        self.backbone = str(config.get("backbone", "efficientnet_b0"))
        self.similarity = str(config.get("similarity", "bilinear"))
        self.kind, self.device = self.front_end.kind, "cpu"
        self._session, self._outputs = _session(graph, tensors, source)
        image = self._session.get_inputs()[0].shape
        if len(image) != 4 or image[1] != self.kind.channels or image[2] != self.kind.rows:
            raise CheckpointError(f"{source}: takes images {image}, and not those of front end {front_end!r}")

    def __call__(self, windows: FloatArray, mode: Mode = "both") -> Sides:
        """Encode windows at 16 kHz, (K, L)."""
        images = select_mode(self.front_end(windows), mode)
        embeddings, left, *right = self._session.run(self._outputs, {INPUT: np.ascontiguousarray(images)})
        return Sides(embeddings, left, right[0] if right else embeddings)

    def prepare(self) -> None:
        """Do nothing: a session without threads of its own works on after a fork."""

    def prepare_thread(self) -> None:
        """Do nothing: all work is done in the calling thread."""


def _session(graph: bytes, tensors: Mapping[str, NDArray[Any]], source: str) -> tuple[Any, list[str]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False  # it would reserve memory for every shape of a batch
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in tensors.values()]
    options.add_external_initializers(list(tensors), values)
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen kinds, of no common base
        raise CheckpointError(f"{source}: ONNX Runtime cannot run it ({str(error)[:200]}); write it again") from error
    names = [output.name for output in session.get_outputs()]
    if [entry.name for entry in session.get_inputs()] != [INPUT] or names not in (list(OUTPUTS[:2]), list(OUTPUTS)):
        raise CheckpointError(f"{source}: is no graph of an encoder (it returns {', '.join(names)}); write it again")
    return session, names

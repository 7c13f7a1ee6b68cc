"""An encoder without torch: its front end runs in NumPy, its network as an ONNX graph, with one thread per call."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..errors import CheckpointError
from .front_ends import ArrayFrontEnd, select_mode
from .modes import Mode
from .phasor_sizes import real_width

INPUT = "features"
OUTPUTS = ("embedding", "left", "right")
"""Names of a graph's outputs; without ``right``, the accompaniment's side of the similarity is the embedding."""

IMAGES = 4
"""Images that a network takes at a time on a CPU: the results of more leave the cache between its layers."""


class Sides(NamedTuple):
    """Embeddings and both sides of their similarity; a score is left(h_y) . right(h_x).

    Attributes:
        embeddings: embedding of each window, (K, D).
        left: side of the similarity as a conditioning, (K, S).
        right: side of the similarity as an accompaniment, (K, S).
    """

    embeddings: FloatArray
    left: FloatArray
    right: FloatArray


class ArrayEncoder:
    """An encoder of windows into embeddings and both sides of their similarity, on a CPU.

    Any number of threads may call it at once; each call runs in its own thread alone. Pickled, it is sent as graph and
    tensors, and makes a session of its own where it arrives.

    Args:
        graph: ONNX model that `checkpoints.graph_file` has checked.
        tensors: values of its external initialisers, by name.
        front_end: key of ``FRONT_ENDS``.
        source: name of the graph in messages.
        config: configuration of the encoder, the content of config.json.

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
        self.real_width = real_width(self.similarity, int(config.get("embedding_dim", 512)))
        self.kind, self.device = self.front_end.kind, "cpu"
        self._session, self._outputs, self._values = _session(graph, tensors, source)
        self._made_of = graph, front_end, source, dict(config)
        image = self._session.get_inputs()[0].shape
        if len(image) != 4 or image[1] != self.kind.channels or image[2] != self.kind.rows:
            raise CheckpointError(
                f"{source}: takes images {image}, not those of front end {front_end!r}; write it again"
            )

    def __call__(self, windows: FloatArray, mode: Mode = "both") -> Sides:
        """Encode windows at 16 kHz, (K, L)."""
        with np.errstate(over="ignore", invalid="ignore"):  # of samples so large that the scorer refuses them
            images = np.ascontiguousarray(select_mode(self.front_end(windows), mode))
        parts = [images[start : start + IMAGES] for start in range(0, len(images), IMAGES)]
        runs = [self._session.run(self._outputs, {INPUT: part}) for part in parts]
        embeddings, left, *right = (np.concatenate(outputs) for outputs in zip(*runs, strict=True))
        return Sides(embeddings, left, right[0] if right else embeddings)

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how to make it again from what can be sent to another process."""
        graph, *rest = self._made_of
        return ArrayEncoder, (graph, {name: value.numpy() for name, value in self._values.items()}, *rest)

    def prepare(self) -> None:
        """Do nothing: a session without threads of its own keeps working after a fork."""

    def prepare_thread(self) -> None:
        """Do nothing: all work is done in the calling thread."""


def _session(graph: bytes, tensors: Mapping[str, NDArray[Any]], source: str) -> tuple[Any, list[str], dict[str, Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False  # it would allocate memory for every shape of a batch
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for name, tensor in tensors.items()}
    options.add_external_initializers(list(values), list(values.values()))
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen types without a common base
        raise CheckpointError(f"{source}: ONNX Runtime cannot run it ({str(error)[:200]}); write it again") from error
    names = [output.name for output in session.get_outputs()]
    if [entry.name for entry in session.get_inputs()] != [INPUT] or names not in (list(OUTPUTS[:2]), list(OUTPUTS)):
        raise CheckpointError(f"{source}: not a graph of an encoder (it returns {', '.join(names)}); write it again")
    return session, names, values

"""An encoder in torch, as the scorer calls it: for GPUs, and for encoders that have no graph."""

import os
import threading

import torch

from ..arrays import FloatArray, to_numpy
from ..errors import UsageError
from .array_encoder import Sides
from .model import CocolaModel, fold_batch_norm
from .modes import Mode


class TensorEncoder:
    """Windows to embeddings and to both sides of their similarity, by a model in torch.

    Args:
        model: prepared for inference here, in place.
        device: of the model.
    """

    def __init__(self, model: CocolaModel, device: str) -> None:
        self.model = fold_batch_norm(model).to(device)
        self.kind = model.encoder.front_end.kind
        self.device = device
        self._process = os.getpid()

    def __call__(self, windows: FloatArray, mode: Mode = "both") -> Sides:
        """Encode windows at 16 kHz, (K, L)."""
        with torch.inference_mode():
            embeddings = self.model.encoder(torch.from_numpy(windows).to(self.device), mode)
            left, right = self.model.similarity.left(embeddings), self.model.similarity.right(embeddings)
            kept = to_numpy(embeddings)
            return Sides(kept, to_numpy(left), kept if right is embeddings else to_numpy(right))

    def prepare(self) -> None:
        """Refuse to run in a process that was forked after the model was made, where torch's threads wait for ever.

        Raises:
            UsageError: it was.
        """
        if os.getpid() != self._process:
            raise UsageError(
                "this scorer was made before the process was forked, and torch does not survive that: make it in the "
                "new process, or start that by 'spawn'; encoders with a graph (encoder.onnx) on a CPU can be shared"
            )

    def prepare_thread(self) -> None:
        """Let the calling thread run operations of a CPU alone."""
        if self.device == "cpu":
            one_thread_per_operation()


def one_thread_per_operation() -> None:
    """Let the calling thread run torch operations alone, and leave other threads as they are.

    ``torch.set_num_threads`` sets the calling thread, and the number that threads born later start with; a short-lived
    second thread puts the latter back.
    """
    others = _threads_of_new_threads()
    torch.set_num_threads(1)
    restore = threading.Thread(target=torch.set_num_threads, args=(others,))
    restore.start()
    restore.join()


def _threads_of_new_threads() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]

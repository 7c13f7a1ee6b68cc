"""An encoder in torch behind the scorer's interface, for GPUs and for encoders without a graph."""

import os
import threading

import torch

from ..arrays import FloatArray, to_numpy
from ..errors import UsageError
from .array_encoder import IMAGES, Sides
from .model import CocolaModel, fold_batch_norm
from .modes import Mode


class TensorEncoder:
    """An encoder of windows into embeddings and both sides of their similarity, by a model in torch.

    Args:
        model: encoder and similarity, which are prepared for inference in place.
        device: device of the model.
    """

    def __init__(self, model: CocolaModel, device: str) -> None:
        self.model = fold_batch_norm(model).to(device)
        self.kind = model.encoder.front_end.kind
        self.device = device
        self._process = os.getpid()

    def __call__(self, windows: FloatArray, mode: Mode = "both") -> Sides:
        """Encode windows at 16 kHz, (K, L)."""
        with torch.inference_mode():
            parts = torch.split(torch.from_numpy(windows), IMAGES if self.device == "cpu" else len(windows))
            embeddings = torch.cat([self.model.encoder(part.to(self.device), mode) for part in parts])
            left, right = self.model.similarity.left(embeddings), self.model.similarity.right(embeddings)
            kept = to_numpy(embeddings)
            return Sides(kept, to_numpy(left), kept if right is embeddings else to_numpy(right))

    def prepare(self) -> None:
        """Refuse to run in a process that was forked after the model was made, since torch's threads would hang there.

        Raises:
            UsageError: the process was forked.
        """
        if os.getpid() != self._process:
            raise UsageError(
                "this scorer was made before the process was forked, where torch would hang; make it in the "
                "new process, or start that by 'spawn'; encoders with a graph (encoder.onnx) on a CPU can be shared"
            )

    def prepare_thread(self) -> None:
        """Let the calling thread run operations of a CPU alone."""
        if self.device == "cpu":
            one_thread_per_operation()


def one_thread_per_operation() -> None:
    """Let the calling thread run torch operations alone, and leave other threads as they are.

    ``torch.set_num_threads`` sets the number of the calling thread and the default of later threads. A short-lived
    second thread restores that default. A thread takes the default when it is first asked for its number, so it is
    asked before.
    """
    others = _threads_of_new_threads()
    torch.get_num_threads()
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

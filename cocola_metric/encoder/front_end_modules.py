"""Front ends as torch modules: for GPUs, for gradients and for training."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..arrays import FloatArray
from .front_ends import FRONT_ENDS
from .mel import Elementary


def _on_array(function: Callable[[Tensor], Tensor]) -> Callable[[FloatArray], FloatArray]:
    return lambda values: function(torch.from_numpy(values)).numpy()


OF_TORCH = Elementary(_on_array(torch.cos), _on_array(torch.exp), _on_array(lambda values: 10**values))
"""Functions with torch's rounding, as in the authors' training; in mel images, silence shows rounding errors."""


class FrontEndModule(nn.Module):
    """A front end of `FRONT_ENDS` on tensors; its constants are buffers that stay out of checkpoints.

    Shape:
        waveform (B, L) at 16 kHz -> images (B, C, M, F).
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.kind = FRONT_ENDS[name]
        self.channels = self.kind.channels
        for key, values in self.kind.constants(OF_TORCH).items():
            self.register_buffer(key, torch.from_numpy(values), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the images of each waveform."""
        if waveform.device.type == "cpu":  # one clip at a time fits in the cache: twice as fast as a batch of 32
            return torch.cat([self._images(clip) for clip in torch.split(waveform, 1)])
        return self._images(waveform)

    def _images(self, waveform: Tensor) -> Tensor:
        images: Tensor = self.kind.images(waveform, dict(self.named_buffers()))
        return images

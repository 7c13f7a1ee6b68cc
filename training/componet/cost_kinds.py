"""The kinds of work whose costs are measured."""

from typing import Literal

Work = Literal["adapter", "attentions", "recompute", "generate"]
WORKS: dict[Work, str] = {
    "adapter": "training the adapter",
    "attentions": "training the adapter and the attentions of the U-Net",
    "recompute": "training the adapter, activations of blocks made again",
    "generate": "one step of generating",
}

"""The embeddings of prompts (Eq. 7), from the text encoders of AudioLDM2."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from cocola_metric.errors import UsageError

from .unet import Text

_GENERATED = 8  # hidden states that GPT2 appends


class PromptEncoder:
    """The text encoders of an AudioLDM2 pipeline; each prompt is encoded once.

    A prompt is encoded by itself: in a batch with longer ones, padding would shift the positions of GPT2 and change the
    embeddings. With ``together`` prompts are encoded in one batch with attention to padding, as in the training of the
    released checkpoints; then nothing is cached.

    Args:
        pipeline: AudioLDM2 pipeline, on its device.
        together: choice of encoding prompts in one batch, as the released training code does.
    """

    def __init__(self, pipeline: Any, *, together: bool = False) -> None:
        if not hasattr(pipeline.language_model, "generate"):
            kind = type(pipeline.language_model).__name__
            raise UsageError(f"{kind} does not generate; load the pipeline with training.componet.load_pipeline")
        self.pipeline = pipeline
        self.together = together
        self._known: dict[str, Text] = {}

    def __call__(self, prompts: Sequence[str]) -> Text:
        """Return the embeddings of prompts; T5's are padded to the longest, and the mask marks the padding.

        Shape:
            B prompts -> generated (B, 8, 768), sentence (B, P, 1024), mask (B, P).

        Raises:
            UsageError: there are no prompts.
        """
        if not prompts:
            raise UsageError("no prompts to encode; pass one or more")
        if self.together:
            text = self._encode(list(prompts))
            return text._replace(mask=torch.ones(text.sentence.shape[:2], device=text.sentence.device))
        for line in prompts:
            if line not in self._known:
                self._known[line] = self._encode([line])
        texts = [self._known[line] for line in prompts]
        length = max(text.sentence.shape[1] for text in texts)
        missing = [length - text.sentence.shape[1] for text in texts]
        return Text(
            torch.cat([text.generated for text in texts]),
            torch.cat([pad(text.sentence, (0, 0, 0, more)) for text, more in zip(texts, missing, strict=True)]),
            torch.cat([pad(_mask(text), (0, more)) for text, more in zip(texts, missing, strict=True)]),
        )

    @torch.no_grad()
    def _encode(self, prompts: list[str]) -> Text:
        sentence, mask, generated = self.pipeline.encode_prompt(
            prompts, self.pipeline.device, 1, False, max_new_tokens=_GENERATED
        )
        return Text(generated, sentence, mask)


def _mask(text: Text) -> torch.Tensor:
    assert text.mask is not None
    return text.mask

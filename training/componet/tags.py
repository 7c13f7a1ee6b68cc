"""A text encoder that is small enough to train: every tag has one embedding for the input and one for the output."""

import re
from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from cocola_metric.errors import UsageError

from .unet import Text

SLOTS = 20  # tags of both sides that a prompt can have
_PROMPT = re.compile(r"in:(?P<given>[^;]*); out:(?P<wanted>[^;]*)")


class TagEncoder(nn.Module):
    """A stand-in for CLAP, T5 and GPT2 of AudioLDM2: it maps prompts (Eq. 7) to embeddings, one for each tag.

    Its output replaces the hidden states that GPT2 generates; there is no second stream.

    Args:
        vocabulary: tags that it knows.
        width: width of the embeddings.
    """

    def __init__(self, vocabulary: Sequence[str], width: int) -> None:
        super().__init__()
        self.vocabulary = tuple(vocabulary)
        self._numbers = {tag: number for number, tag in enumerate(self.vocabulary, start=1)}  # 0: no tag
        self.config = SimpleNamespace(model_type="tags")  # diffusers asks for it
        self.embedding = nn.Embedding(2 * len(self.vocabulary) + 1, width)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the embeddings, as diffusers asks for it."""
        return self.embedding.weight.dtype

    @property
    def device(self) -> torch.device:
        """Device of the embeddings."""
        return self.embedding.weight.device

    def numbers(self, prompts: Sequence[str]) -> Tensor:
        """Return the numbers of the prompts' embeddings: B prompts -> (B, SLOTS), on the host.

        Raises:
            UsageError: a tag is unknown, there are too many, or a line is no prompt.
        """
        rows = torch.zeros(len(prompts), SLOTS, dtype=torch.int64)
        for row, line in zip(rows, prompts, strict=True):
            given, wanted = split_prompt(line)
            unknown = sorted({*given, *wanted} - set(self.vocabulary))
            if unknown or len(given) + len(wanted) > SLOTS:
                problem = f"knows no {', '.join(unknown)}" if unknown else f"takes {SLOTS} tags"
                raise UsageError(f"{line!r}: this model {problem}; it was trained on {', '.join(self.vocabulary)}")
            words = [self._numbers[tag] for tag in given]
            words += [self._numbers[tag] + len(self.vocabulary) for tag in wanted]
            row[: len(words)] = torch.tensor(words)
        return rows

    def __call__(self, prompts: Sequence[str]) -> Text:
        """Return the embeddings of prompts: generated (B, SLOTS, W), and the first of them again as the sentence."""
        text: Text = super().__call__(self.numbers(prompts).to(self.device))
        return text

    def forward(self, numbers: Tensor) -> Text:
        """Return the embeddings of `numbers`: (B, SLOTS)."""
        embedded = self.embedding(numbers)
        return Text(embedded, embedded[:, :1], torch.ones_like(numbers[:, :1]))


def split_prompt(line: str) -> tuple[list[str], list[str]]:
    """Return the tags of both sides of a prompt.

    >>> split_prompt("in: bass_1, drums_1; out: piano_1")
    (['bass_1', 'drums_1'], ['piano_1'])

    Raises:
        UsageError: the line is no prompt.
    """
    match = _PROMPT.search(line)
    if match is None:
        raise UsageError(f"a prompt must be like 'in: bass_1, drums_1; out: piano_1'; got {line!r}")
    given, wanted = ([tag.strip() for tag in side.split(",") if tag.strip()] for side in match.groups())
    return given, wanted

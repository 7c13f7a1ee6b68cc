"""What CompoNet is told: the tags of the input and the output stems (Eq. 7), as text and as embeddings."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from cocola_metric.errors import UsageError

from .unet import Text

VOCABULARIES = {  # kinds of stems that the released checkpoints know
    "musdb18hq": ("bass", "drums", "other", "vocals"),
    "slakh2100": ("bass", "drums", "guitar", "piano"),
    "moisesdb": (
        "bass",
        "bowed_strings",
        "drums",
        "guitar",
        "other",
        "other_keys",
        "other_plucked",
        "percussion",
        "piano",
        "vocals",
        "wind",
    ),
}
_MERGED = "drums"  # the kits of a song count as one
_GENERATED = 8  # hidden states that GPT2 appends
_SEPARATORS = (",", ";")


def stem_tags(kinds: Sequence[str]) -> tuple[str, ...]:
    """Number the stems of one window by kind; all drums are one stem.

    >>> stem_tags(["guitar", "drums", "Guitar", "drums"])
    ('guitar_1', 'drums_1', 'guitar_2', 'drums_1')

    Raises:
        UsageError: a kind is empty or holds a separator of the prompt.
    """
    counts: Counter[str] = Counter()
    tags = []
    for kind in (kind.strip().lower() for kind in kinds):
        if not kind or any(separator in kind for separator in _SEPARATORS):
            raise UsageError(f"{kind!r} is no kind of stem: a word without comma or semicolon")
        counts[kind] += 1
        tags.append(f"{kind}_{1 if kind == _MERGED else counts[kind]}")
    return tuple(tags)


def prompt(given: Sequence[str], wanted: Sequence[str], *, genre: str | None = None) -> str:
    """Write Eq. 7 as the released checkpoints read it; they saw every order of tags.

    Args:
        given: tags of the stems in the input mix, Y, from `stem_tags`. The released checkpoints never saw it empty.
        wanted: tags of the stems to be made, X.
        genre: of the song, for MoisesDB.

    >>> prompt(["other_1", "vocals_1"], ["drums_1"])
    'in: other_1, vocals_1; out: drums_1'
    >>> prompt(["bass_1"], ["wind_1"], genre="Rock")
    'genre: rock; in: bass_1; out: wind_1'

    Raises:
        UsageError: nothing is wanted.
    """
    if not wanted:
        raise UsageError("X is empty: CompoNet makes one stem or more")
    sides = (", ".join(dict.fromkeys(side)) for side in (given, wanted))
    tags = "in: {}; out: {}".format(*sides)
    return f"genre: {genre.lower()}; {tags}" if genre else tags


class PromptEncoder:
    """The text encoders of an AudioLDM2 pipeline, which answer for each prompt once.

    A prompt is encoded by itself: beside longer ones, the padding would move the positions of GPT2 and its embeddings
    would be others. With ``together`` they are encoded in one batch and padding is attended to, as in the training of
    the released checkpoints; nothing is kept then.

    Args:
        pipeline: AudioLDM2, on its device.
        together: encode as the released training code does.
    """

    def __init__(self, pipeline: Any, *, together: bool = False) -> None:
        if not hasattr(pipeline.language_model, "generate"):
            kind = type(pipeline.language_model).__name__
            raise UsageError(f"{kind} does not generate: load the pipeline with componet_pipeline.load_pipeline")
        self.pipeline = pipeline
        self.together = together
        self._known: dict[str, Text] = {}

    def __call__(self, prompts: Sequence[str]) -> Text:
        """Return the embeddings of prompts; T5's are padded to the longest, and the mask says so.

        Shape:
            B prompts -> generated (B, 8, 768), sentence (B, P, 1024), mask (B, P).

        Raises:
            UsageError: no prompts.
        """
        if not prompts:
            raise UsageError("no prompts to encode")
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

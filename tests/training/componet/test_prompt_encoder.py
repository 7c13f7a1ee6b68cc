"""Prompts as the released checkpoints read them, and their embeddings, one prompt at a time."""

import json
from pathlib import Path

import pytest
import torch
from tiny_audioldm2 import tiny_pipeline, transformers

from cocola_metric.errors import CheckpointError, UsageError
from cocola_metric.training.componet.pipeline import load_pipeline
from cocola_metric.training.componet.prompt_encoder import PromptEncoder

SHORT, LONG = "in: bass_1; out: drums_1", "in: other_1, vocals_1, bass_1; out: drums_1"


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline()


@pytest.fixture(scope="module")
def saved(pipeline, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("audioldm2")
    pipeline.save_pretrained(folder)
    return folder


def test_a_prompt_has_the_embeddings_that_the_pipeline_gives_it_alone(pipeline) -> None:
    text = PromptEncoder(pipeline)([SHORT])
    with torch.no_grad():
        sentence, mask, generated = pipeline.encode_prompt(SHORT, "cpu", 1, False, max_new_tokens=8)
    assert torch.equal(text.sentence, sentence)
    assert torch.equal(text.mask, mask)
    assert torch.equal(text.generated, generated)
    assert text.generated.shape[1] == 8
    assert not text.generated.requires_grad


def test_company_changes_nothing(pipeline) -> None:
    encoder = PromptEncoder(pipeline)
    alone, both = encoder([SHORT]), encoder([SHORT, LONG])
    length = alone.sentence.shape[1]
    assert torch.equal(both.generated[:1], alone.generated)
    assert torch.equal(both.sentence[:1, :length], alone.sentence)
    assert both.mask.sum(1).tolist() == [length, both.sentence.shape[1]]


def test_encoding_together_is_the_released_training(pipeline) -> None:
    together, apart = PromptEncoder(pipeline, together=True)([SHORT, LONG]), PromptEncoder(pipeline)([SHORT, LONG])
    assert bool(together.mask.all())
    assert not torch.allclose(together.generated[0], apart.generated[0], atol=1e-3)
    torch.testing.assert_close(together.generated[1], apart.generated[1], rtol=0, atol=1e-5)


def test_each_prompt_is_encoded_once(pipeline, monkeypatch) -> None:
    calls = []
    real = type(pipeline).encode_prompt
    monkeypatch.setattr(type(pipeline), "encode_prompt", lambda *args, **kw: calls.append(args[1]) or real(*args, **kw))
    encoder = PromptEncoder(pipeline)
    for _ in range(3):
        encoder([SHORT, LONG, SHORT])
    assert calls == [[SHORT], [LONG]]
    with pytest.raises(UsageError, match="no prompts"):
        encoder([])


def test_a_repository_that_names_gpt2model_generates(pipeline, saved: Path) -> None:
    """As the published ones do: transformers 5 took generation from that class."""
    index = saved / "model_index.json"
    entries = json.loads(index.read_text())
    index.write_text(json.dumps(entries | {"language_model": ["transformers", "GPT2Model"]}))
    bare = transformers.GPT2Model(pipeline.language_model.config)
    bare.load_state_dict(pipeline.language_model.transformer.state_dict())
    bare.save_pretrained(saved / "language_model")
    loaded = load_pipeline(saved)
    ours, stock = PromptEncoder(loaded)([LONG]), PromptEncoder(pipeline)([LONG])
    assert torch.equal(ours.generated, stock.generated)
    assert torch.equal(ours.sentence, stock.sentence)
    loaded.language_model = bare
    with pytest.raises(UsageError, match="load_pipeline"):
        PromptEncoder(loaded)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="hf download cvssp/audioldm2-large"):
        load_pipeline(tmp_path / "absent", local_files_only=True)

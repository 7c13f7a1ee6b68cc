"""The adapter on the stock U-Net: sizes, silence before its first step, where gradients go, recomputation."""

import copy

import pytest
import torch
from tiny_audioldm2 import (
    random_latents,
    random_text,
    small_unet,
    stir,
    tiny_pipeline,
    tiny_unet,
)

from cocola_metric.errors import UsageError
from cocola_metric.training.componet.adapter import Adapter
from cocola_metric.training.componet.latents import decode_audio, encode_audio
from cocola_metric.training.componet.network import CompoNet, conditioned, is_attention
from cocola_metric.training.componet.prompt_encoder import PromptEncoder
from cocola_metric.training.componet.prompts import prompt
from cocola_metric.training.componet.unet import LARGE, Text, build_unet, encode

STEP = torch.tensor(500)


@pytest.fixture(scope="module")
def large() -> CompoNet:
    with torch.device("meta"):
        return CompoNet(build_unet(LARGE))


@pytest.fixture(scope="module")
def pipeline():
    pipeline = tiny_pipeline()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def count(parameters) -> int:
    return sum(parameter.numel() for parameter in parameters)


def stock_output(unet, latents, text, step=STEP):
    keywords = {"encoder_hidden_states_1": text.sentence, "encoder_attention_mask_1": text.mask}
    return unet(latents, step, text.generated, **keywords).sample


def loss_of(componet, text, latents, condition):
    return componet(latents, STEP, text, condition).square().mean()


def gradients(componet) -> dict[str, torch.Tensor]:
    return {name: value.grad.clone() for name, value in componet.named_parameters() if value.grad is not None}


def test_large_has_the_published_sizes(large: CompoNet) -> None:
    assert count(large.unet.parameters()) == 718_012_296
    assert round(count(large.controlnet.parameters()) / 1e6, 1) == 330.6
    assert len(large.controlnet.state_dict()) == 1434
    zero = [*large.controlnet.controlnet_down_blocks, large.controlnet.controlnet_mid_block]
    assert len(zero) == 12 + 1
    assert round(sum(count(convolution.parameters()) for convolution in zero) / 1e6, 2) == 1.94
    assert count(large.controlnet.controlnet_cond_embedding.parameters()) == 8 * 128 * 9 + 128


def test_large_trains_what_is_selected(large: CompoNet) -> None:
    assert count(large.select_trained()) == count(large.controlnet.parameters())
    assert round(count(large.select_trained(unet_attentions=True)) / 1e6, 1) == 945.7


def test_large_residuals_have_the_shapes_of_the_skips(large: CompoNet) -> None:
    with torch.device("meta"):
        latents, text = torch.empty(1, 8, 256, 16), Text(torch.empty(1, 8, 768), torch.empty(1, 9, 1024))
        residuals = large.controlnet(latents, torch.tensor(3), text, latents)
    shapes = [tuple(residual.shape[1:]) for residual in residuals.skips]
    first = [(128, 256, 16)] * 3 + [(128, 128, 8)] + [(256, 128, 8)] * 2
    assert shapes == first + [(256, 64, 4)] + [(384, 64, 4)] * 2 + [(384, 32, 2)] + [(640, 32, 2)] * 2
    assert tuple(residuals.bottleneck.shape[1:]) == (640, 32, 2)


@pytest.mark.parametrize(
    ("zero_init_condition", "rows", "masked"),
    [(True, 16, True), (True, 19, False), (False, 16, False), (False, 19, True)],
)
def test_a_new_adapter_adds_nothing(zero_init_condition: bool, rows: int, masked: bool) -> None:
    unet = tiny_unet()
    componet = CompoNet(unet, zero_init_condition=zero_init_condition)
    latents, text = random_latents(2, rows=rows), random_text(2, masked=masked)
    with torch.no_grad():
        ours = componet(latents, STEP, text, random_latents(2, rows=rows, seed=7))
        assert torch.equal(ours, stock_output(unet, latents, text))
        without_mask = componet(latents, STEP, text._replace(mask=None), latents)
        assert torch.equal(without_mask, stock_output(unet, latents, text._replace(mask=None)))
    assert torch.equal(ours, without_mask) != masked


def test_steps_may_differ_within_a_batch() -> None:
    componet = CompoNet(small_unet())
    stir(componet.controlnet)
    latents, text, steps = random_latents(2), random_text(2), torch.tensor([10, 700])
    with torch.no_grad():
        together = componet(latents, steps, text, latents)
        for row, step in enumerate(steps):
            one = Text(text.generated[row : row + 1], text.sentence[row : row + 1], text.mask[row : row + 1])
            alone = componet(latents[row : row + 1], step, one, latents[row : row + 1])
            torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-5)


def test_residuals_are_added_to_skips_and_behind_the_bottleneck() -> None:
    """Hooks on the stock forward, an implementation of its own, give the same bits."""
    componet = CompoNet(tiny_unet())
    stir(componet.controlnet)
    latents, text, condition = random_latents(), random_text(masked=True), random_latents(seed=8)
    with torch.no_grad():
        residuals = componet.controlnet(latents, STEP, text, condition)
        left = list(residuals.skips)

        def add_to_skips(block, arguments, keywords):
            own = keywords["res_hidden_states_tuple"]
            added = [left.pop() for _ in own][::-1]
            keywords["res_hidden_states_tuple"] = tuple(a + b for a, b in zip(own, added, strict=True))
            return arguments, keywords

        hooks = [block.register_forward_pre_hook(add_to_skips, with_kwargs=True) for block in componet.unet.up_blocks]
        hooks.append(componet.unet.mid_block.register_forward_hook(lambda *call: call[-1] + residuals.bottleneck))
        hooked = stock_output(componet.unet, latents, text)
        for hook in hooks:
            hook.remove()
        assert not left
        ours = componet(latents, STEP, text, condition)
        assert torch.equal(ours, hooked)
        assert not torch.equal(ours, stock_output(componet.unet, latents, text))


def test_the_condition_enters_behind_the_first_convolution() -> None:
    unet = small_unet()
    adapter = Adapter(unet, zero_init_condition=False)
    latents, condition, text = random_latents(), random_latents(seed=8), random_text()
    seen = encode(adapter, latents, STEP, text, added=adapter.controlnet_cond_embedding(condition)).skips[0]
    assert torch.equal(seen, unet.conv_in(latents) + adapter.controlnet_cond_embedding(condition))
    paper = Adapter(unet)
    assert not any(parameter.any() for parameter in paper.controlnet_cond_embedding.parameters())


def test_the_two_text_streams_are_told_apart() -> None:
    componet = CompoNet(small_unet())
    text = random_text()
    with pytest.raises(RuntimeError):
        componet(random_latents(), STEP, Text(text.sentence, text.generated), random_latents())


def test_the_first_step_moves_the_zero_convolutions_alone() -> None:
    componet = CompoNet(tiny_unet())
    arguments = (random_text(), random_latents(), random_latents(seed=8))
    loss_of(componet, *arguments).backward()
    assert all(name.startswith("controlnet.") for name in gradients(componet))
    moved = {name for name, gradient in gradients(componet).items() if gradient.any()}
    zero = {
        name for name, _ in componet.named_parameters() if "_down_blocks." in name and name.startswith("controlnet.c")
    }
    zero |= {"controlnet.controlnet_mid_block.weight", "controlnet.controlnet_mid_block.bias"}
    assert moved == zero
    assert len(zero) == 26


def test_later_gradients_reach_the_whole_adapter_and_nothing_else() -> None:
    componet = CompoNet(tiny_unet())
    stir(componet.controlnet)
    loss_of(componet, random_text(), random_latents(), random_latents(seed=8)).backward()
    reached = gradients(componet)
    assert set(reached) == {f"controlnet.{name}" for name, _ in componet.controlnet.named_parameters()}
    assert reached["controlnet.controlnet_cond_embedding.weight"].any()


def test_the_attentions_of_the_unet_by_a_switch() -> None:
    componet = CompoNet(tiny_unet())
    trained = componet.select_trained(unet_attentions=True)
    loss_of(componet, random_text(), random_latents(), random_latents(seed=8)).backward()
    of_unet = {name for name in gradients(componet) if name.startswith("unet.")}
    assert of_unet == {f"unet.{name}" for name, _ in componet.unet.named_parameters() if is_attention(name)}
    assert len(trained) == len(of_unet) + len(list(componet.controlnet.parameters()))
    componet.select_trained()
    assert not any(parameter.requires_grad for parameter in componet.unet.parameters())


@pytest.mark.parametrize(("unet_attentions", "rows"), [(False, 19), (True, 16)])
def test_recomputation_is_exact(unet_attentions: bool, rows: int) -> None:
    componet = CompoNet(tiny_unet())
    stir(componet.controlnet)
    componet.select_trained(unet_attentions=unet_attentions)
    arguments = (random_text(2, masked=True), random_latents(2, rows=rows), random_latents(2, rows=rows, seed=8))
    losses, sets = [], []
    for recompute in (False, True):
        componet.recompute = recompute
        componet.zero_grad(set_to_none=True)
        loss = loss_of(componet, *arguments)
        loss.backward()
        losses.append(loss.item())
        sets.append(gradients(componet))
    assert losses[0] == losses[1]
    assert sets[0].keys() == sets[1].keys()
    assert all(torch.equal(sets[0][name], sets[1][name]) for name in sets[0])


def test_recomputation_keeps_fewer_activations() -> None:
    componet = CompoNet(small_unet())
    arguments = (random_text(), random_latents(), random_latents(seed=8))
    kept = []
    for recompute in (False, True):
        componet.recompute = recompute
        numbers: list[int] = []

        def pack(tensor, numbers=numbers):
            numbers.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss_of(componet, *arguments)
        kept.append(sum(numbers))
    assert kept[1] < kept[0] / 3


def test_the_adapter_shares_no_weight_with_the_unet() -> None:
    unet = small_unet()
    before = copy.deepcopy(unet.state_dict())
    componet = CompoNet(unet)
    stir(componet.controlnet)
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())
    assert all(parameter.requires_grad for parameter in componet.controlnet.parameters())


def test_a_condition_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\(1, 8, 15, 16\) and \(1, 8, 16, 16\)"):
        CompoNet(small_unet())(random_latents(), STEP, random_text(), random_latents(rows=15))


def test_another_kind_of_unet_is_refused() -> None:
    with pytest.raises(UsageError, match="Linear lacks conv_in"):
        CompoNet(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("prompts", [["in: bass_1; out: drums_1"], ["in: bass_1; out: drums_1", "in: a_1; out: b_1"]])
def test_with_a_silent_adapter_the_stock_pipeline_is_itself(pipeline, guidance: float, prompts: list[str]) -> None:
    options = {
        "num_inference_steps": 3,
        "audio_length_in_s": 0.6,
        "guidance_scale": guidance,
        "latents": random_latents(len(prompts), rows=15),
        "output_type": "latent",
        "max_new_tokens": 8,
    }
    stock = pipeline.unet
    plain = pipeline(prompts, **options).audios
    componet = CompoNet(stock)
    condition = random_latents(len(prompts), rows=15, seed=8)
    with conditioned(pipeline, componet, condition) as ours:
        assert torch.equal(ours(prompts, **options).audios, plain)
        stir(componet.controlnet)
        heard = ours(prompts, **options).audios
        assert not torch.equal(heard, plain)
    assert pipeline.unet is stock
    assert plain.shape == (len(prompts), 8, 15, 16)
    if len(prompts) == 2:  # each prompt hears its own input mix
        with conditioned(pipeline, componet, torch.cat([condition[:1], condition[:1] + 1.0])) as ours:
            other = ours(prompts, **options).audios
        assert torch.allclose(other[0], heard[0], atol=1e-5)
        assert not torch.allclose(other[1], heard[1], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("samples", [9510, 10_240])
def test_from_an_input_mix_to_an_accompaniment(pipeline, samples: int) -> None:
    """As documented; 9510 samples are 15 rows, which do not halve exactly."""
    componet = CompoNet(pipeline.unet)
    stir(componet.controlnet)
    mixes = torch.rand(2, samples, generator=torch.Generator().manual_seed(3)) - 0.5
    text = PromptEncoder(pipeline)([prompt(["bass_1"], ["drums_1"]), prompt(["bass_1", "drums_1"], ["piano_1"])])
    condition = encode_audio(pipeline.vae, mixes)
    made = []
    for w in (condition, condition.flip(0)):
        with conditioned(pipeline, componet, w):
            latents = pipeline(
                prompt_embeds=text.sentence,
                attention_mask=text.mask,
                generated_prompt_embeds=text.generated,
                latents=random_latents(2, rows=condition.shape[2]),
                num_inference_steps=2,
                guidance_scale=1.0,
                output_type="latent",
            ).audios
        made.append(latents)
        audio = decode_audio(pipeline.vae, pipeline.vocoder, latents, samples=samples)
        assert audio.shape == (2, samples)
        assert bool(audio.isfinite().all())
    assert not torch.allclose(made[0], made[1], atol=1e-4)

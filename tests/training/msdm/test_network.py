"""MSDM's network: the released names and sizes, the package's numbers, EDM's preconditioning."""

import pytest
import torch
from tiny_msdm import LENGTH, TINY, TINY_UNET, example_input, fill, tiny_msdm

from cocola_metric.errors import UsageError
from cocola_metric.training.msdm.network import MSDM, MSDMConfig
from cocola_metric.training.msdm.unet import UNet, UNetConfig, _fold, _unfold

TOLERANCE = 1e-5  # float32, after two dozen layers
DEEP = UNetConfig(  # even and odd factors, none at all, levels of unequal depth
    channels=64,
    multipliers=(1, 2, 2, 3),
    factors=(4, 1, 3),
    blocks=(2, 1, 2),
    attentions=(False, True, True),
    heads=2,
    head_channels=16,
    expansion=3,
)


def package_unet(config: UNetConfig) -> torch.nn.Module:
    """The same U-Net as audio-diffusion-pytorch 0.0.43 builds it."""
    modules = pytest.importorskip("audio_diffusion_pytorch.modules", reason="needs audio-diffusion-pytorch==0.0.43")
    return modules.UNet1d(
        in_channels=config.stems,
        channels=config.channels,
        patch_blocks=1,
        patch_factor=config.patch,
        multipliers=config.multipliers,
        factors=config.factors,
        num_blocks=config.blocks,
        attentions=config.attentions,
        attention_heads=config.heads,
        attention_features=config.head_channels,
        attention_multiplier=config.expansion,
        resnet_groups=config.groups,
        kernel_multiplier_downsample=2,
        kernel_sizes_init=(),
        use_nearest_upsample=False,
        use_skip_scale=True,
        use_attention_bottleneck=True,
        use_context_time=True,
    )


def shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.fixture(scope="module")
def released() -> UNet:
    with torch.device("meta"):
        return UNet(UNetConfig())


def test_the_released_network_has_434_tensors_and_405_million_parameters(released: UNet) -> None:
    assert len(released.state_dict()) == 434
    assert sum(parameter.numel() for parameter in released.parameters()) == 405_497_700
    assert not list(released.buffers())


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("to_mapping.2.bias", (1024,)),
        ("to_time.0.0.weights", (128,)),
        ("to_time.0.1.weight", (1024, 257)),
        ("to_in.module_list.0.block.block1.project.weight", (16, 4, 3)),
        ("to_out.module_list.0.block.to_scale_shift.to_scale_shift.1.weight", (8, 1024)),
        ("downsamples.0.downsample.weight", (512, 256, 9)),
        ("downsamples.3.transformer.attention.fn.norm.g", (1024,)),
        ("downsamples.5.transformer.feed_forward.3.g", (1, 2048, 1)),
        ("bottleneck.attention.fn.to_kv.weight", (2048, 1024)),
        ("bottleneck.attention.fn.attention.to_out.1.g", (1024,)),
        ("upsamples.0.blocks.2.to_out.weight", (1024, 2048, 1)),
        ("upsamples.5.upsample.weight", (512, 256, 8)),
    ],
)
def test_released_names_and_shapes(released: UNet, name: str, shape: tuple[int, ...]) -> None:
    assert shapes(released)[name] == shape


def test_released_names_and_shapes_are_the_packages(released: UNet) -> None:
    with torch.device("meta"):
        assert shapes(package_unet(UNetConfig())) == shapes(released)


@pytest.mark.parametrize("config", [TINY_UNET, DEEP], ids=["tiny", "deep"])
def test_the_package_computes_the_same(config: UNetConfig) -> None:
    theirs, ours = package_unet(config).eval(), UNet(config).eval()
    fill(theirs)
    ours.load_state_dict(theirs.state_dict())
    x, time = example_input()
    with torch.inference_mode():
        torch.testing.assert_close(ours(x, time), theirs(x, time), rtol=0, atol=TOLERANCE)


def test_the_package_denoises_the_same() -> None:
    diffusion = pytest.importorskip("audio_diffusion_pytorch.diffusion", reason="needs audio-diffusion-pytorch==0.0.43")
    theirs, ours = package_unet(TINY_UNET).eval(), tiny_msdm()
    theirs.load_state_dict(ours.unet.state_dict())
    package = diffusion.Diffusion(theirs, sigma_distribution=None, sigma_data=TINY.sigma_data, dynamic_threshold=0.0)
    x, sigmas = 0.5 * example_input()[0], torch.tensor([0.01, 3.0])
    with torch.inference_mode():
        torch.testing.assert_close(ours(x, sigmas), package.denoise_fn(x, sigmas=sigmas), rtol=0, atol=TOLERANCE)


def test_reference_values_without_the_package() -> None:
    """What audio-diffusion-pytorch 0.0.43 computed, with torch 2.14.1, for these weights and this input."""
    expected = [
        [3.218798875808716, -4.173124313354492, 0.24653488397598267, -0.5649026036262512],
        [4.957856178283691, -5.2724151611328125, 1.5686054229736328, -1.202757477760315],
    ]
    unet = UNet(TINY_UNET).eval()
    fill(unet)
    with torch.inference_mode():
        output = unet(*example_input())
    torch.testing.assert_close(output[:, :, 100], torch.tensor(expected), rtol=0, atol=TOLERANCE)


def test_folding_keeps_the_samples_of_a_channel_together() -> None:
    x = torch.arange(12.0).reshape(1, 2, 6)
    assert _fold(x, 3)[0].tolist() == [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8, 11]]
    assert torch.equal(_unfold(_fold(x, 3), 3), x)


def test_items_of_a_batch_do_not_hear_each_other() -> None:
    model, (x, _) = tiny_msdm(), example_input()
    sigmas = torch.tensor([0.1, 5.0])
    with torch.inference_mode():
        together = model(x, sigmas)
        alone = torch.cat([model(x[:1], 0.1), model(x[1:], 5.0)])
    torch.testing.assert_close(together, alone, rtol=0, atol=TOLERANCE)


def test_almost_clean_stems_stay_as_they_are() -> None:
    x = 0.3 * example_input()[0].clamp(-3, 3)
    with torch.inference_mode():
        torch.testing.assert_close(tiny_msdm()(x, 1e-6), x, rtol=0, atol=1e-4)


def test_denoised_stems_are_clamped() -> None:
    with torch.inference_mode():
        loudest = tiny_msdm()(20 * example_input()[0], 0.5).abs().max()
    assert loudest == 1


def test_every_parameter_learns() -> None:
    model = tiny_msdm()
    model(0.1 * example_input()[0], 0.5).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_the_released_model_plays_four_stems_of_12_seconds() -> None:
    config = MSDMConfig()
    assert config.unet.stride == 8192
    assert config.seconds == pytest.approx(11.889, abs=5e-4)


@pytest.mark.parametrize("shape", [(4, LENGTH), (1, 3, LENGTH), (1, 4, LENGTH + 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="multiple of 96"):
        tiny_msdm()(torch.zeros(shape), 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": (1,)}, "6 factors"),
        ({"channels": 40}, "multiple of patch=16"),
        ({"channels": 96}, "multiple of 64"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        UNetConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"stems": ("bass",)}, "stems must be 4 different"), ({"length": 10_000}, "multiple of 8192")],
)
def test_music_that_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MSDMConfig(**changes)


def test_construction_on_the_meta_device_takes_no_memory() -> None:
    with torch.device("meta"):
        assert all(parameter.is_meta for parameter in MSDM(MSDMConfig()).parameters())

"""AudioLDM2 in small, built from configurations: its depth, strides, tokens and two text streams, tiny widths."""

import pytest
import torch

diffusers = pytest.importorskip("diffusers", reason="CompoNet needs diffusers")
transformers = pytest.importorskip("transformers", reason="CompoNet needs transformers")

from cocola_metric.training.componet.pipeline import SCHEDULER  # noqa: E402
from cocola_metric.training.componet.unet import LARGE, Text, build_unet  # noqa: E402

GPT2_WIDTH, T5_WIDTH, CLAP_WIDTH = 12, 20, 8
UNET = LARGE | {
    "block_out_channels": (8, 8, 16, 16),
    "cross_attention_dim": ((None, GPT2_WIDTH, T5_WIDTH, None),) * 4,
    "transformer_layers_per_block": 1,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}
SMALL = UNET | {  # where depth does not matter
    "block_out_channels": (8, 8),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": ((None, GPT2_WIDTH, T5_WIDTH, None),) * 2,
    "layers_per_block": 1,
}
ROWS, BANDS = 16, 16


def tiny_unet(seed: int = 0, config=UNET):
    torch.manual_seed(seed)
    return build_unet(config).eval()


def small_unet(seed: int = 0):
    return tiny_unet(seed, SMALL)


def tiny_vae():
    torch.manual_seed(1)
    return diffusers.AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=8,
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=4,
        scaling_factor=0.4110932946205139,
    ).eval()


def tiny_vocoder():
    torch.manual_seed(2)
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=64,
        sampling_rate=16000,
        upsample_initial_channel=32,
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        normalize_before=False,
    )
    return transformers.SpeechT5HifiGan(config).eval()


def tiny_pipeline(language_model: str = "GPT2LMHeadModel"):
    torch.manual_seed(3)
    clap = transformers.ClapConfig(
        text_config={
            "hidden_size": 8,
            "intermediate_size": 16,
            "num_attention_heads": 1,
            "num_hidden_layers": 1,
            "vocab_size": 300,
            "projection_dim": CLAP_WIDTH,
        },
        audio_config={
            "spec_size": 8,
            "window_size": 4,
            "num_mel_bins": 8,
            "intermediate_size": 16,
            "depths": [1, 1],
            "num_attention_heads": [1, 1],
            "num_hidden_layers": 1,
            "hidden_size": 16,
            "patch_embeds_hidden_size": 8,
            "projection_dim": CLAP_WIDTH,
            "patch_size": 2,
            "patch_stride": 2,
            "patch_embed_input_channels": 4,
        },
        projection_dim=CLAP_WIDTH,
    )
    t5 = transformers.T5Config(vocab_size=200, d_model=T5_WIDTH, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    gpt2 = transformers.GPT2Config(
        vocab_size=10, n_positions=600, n_embd=GPT2_WIDTH, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    characters = [chr(code) for code in range(33, 127)]
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *characters, "Ġ"]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((mark, -2.0) for mark in characters)]
    return diffusers.AudioLDM2Pipeline(
        vae=tiny_vae(),
        text_encoder=transformers.ClapModel(clap).eval(),
        text_encoder_2=transformers.T5EncoderModel(t5).eval(),
        projection_model=diffusers.AudioLDM2ProjectionModel(CLAP_WIDTH, T5_WIDTH, GPT2_WIDTH).eval(),
        language_model=getattr(transformers, language_model)(gpt2).eval(),
        tokenizer=transformers.RobertaTokenizer(
            vocab={piece: number for number, piece in enumerate(vocabulary)}, merges=[], model_max_length=77
        ),
        tokenizer_2=transformers.T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=77),
        feature_extractor=transformers.ClapFeatureExtractor(feature_size=8, hop_length=100),
        unet=tiny_unet(),
        scheduler=diffusers.DDIMScheduler(**SCHEDULER),
        vocoder=tiny_vocoder(),
    )


def random_text(batch: int = 1, *, masked: bool = False, seed: int = 5) -> Text:
    generator = torch.Generator().manual_seed(seed)
    generated = torch.randn(batch, 8, GPT2_WIDTH, generator=generator)
    sentence = torch.randn(batch, 7, T5_WIDTH, generator=generator)
    mask = torch.ones(batch, 7, dtype=torch.long)
    if masked:
        mask[:, 5:] = 0
    return Text(generated, sentence, mask)


def random_latents(batch: int = 1, *, rows: int = ROWS, seed: int = 6) -> torch.Tensor:
    return torch.randn(batch, 8, rows, BANDS, generator=torch.Generator().manual_seed(seed))


def stir(module, scale: float = 0.05, seed: int = 9) -> None:
    """Move weights away from where they are, zero convolutions included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator)

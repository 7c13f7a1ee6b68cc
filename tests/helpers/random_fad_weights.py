"""Put random weights of the real architectures where frechet-audio-distance looks for the real ones.

Run as `python random_fad_weights.py FOLDER`: writes FOLDER/hub (TORCH_HOME is FOLDER) and FOLDER/hf (HF_HOME).
"""

import os
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]) if __name__ == "__main__" else Path()
os.environ |= {"HF_HOME": str(ROOT / "hf"), "HF_HUB_OFFLINE": "1"}

import torch  # noqa: E402

LOUDER = 6**0.5  # weights of layers start at a variance of 1/3 of their inputs' number, and ReLU needs 2
HUBCONF = '''
"""A stand-in for the torchvggish repository: the same network and weights files, its own log-mel examples."""

dependencies = ["torch", "torchaudio"]

import torch
import torchaudio

RELEASE = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"


def layers():
    channels = 1
    for width in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0):
        if width:
            yield torch.nn.Conv2d(channels, width, 3, padding=1)
            yield torch.nn.ReLU()
            channels = width
        else:
            yield torch.nn.MaxPool2d(2)


class VGGish(torch.nn.Module):
    def __init__(self):
        super().__init__()
        relu, linear = torch.nn.ReLU, torch.nn.Linear
        self.features = torch.nn.Sequential(*layers())
        self.embeddings = torch.nn.Sequential(
            linear(12288, 4096), relu(), linear(4096, 4096), relu(), linear(4096, 128), relu()
        )
        self.postprocess = True

    def forward(self, audio, rate):
        assert rate == 16000 and not self.postprocess
        mel = torchaudio.transforms.MelSpectrogram(16000, 512, 400, 160, 125, 7500, n_mels=64, center=False, power=1)
        padded = torch.nn.functional.pad(torch.from_numpy(audio), (0, 112))  # frames of 512 where the original has 400
        frames = (mel(padded) + 0.01).log().T
        count = len(frames) // 96
        return self.embeddings(self.features(frames[: count * 96].reshape(count, 1, 96, 64)).flatten(1))


def vggish():
    model = VGGish()
    model.load_state_dict(torch.hub.load_state_dict_from_url(RELEASE + "vggish-10086976.pth"))
    assert torch.hub.load_state_dict_from_url(RELEASE + "vggish_pca_params-970ea276.pth")
    return model
'''


def livelier(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return a model's state with larger weights: by default each layer makes what goes through it quieter.

    With those every sound gets the same embedding, and a FAD of 4 digits is 0.
    """
    state = model.state_dict()
    louder = {name for name in state if name.endswith(("weight_g", "weight")) and state[name].ndim > 1}
    return {name: LOUDER * value if name in louder else value for name, value in state.items()}


def write_encodec(hub: Path) -> None:
    from encodec import EncodecModel

    model = EncodecModel.encodec_model_24khz(pretrained=False)
    torch.save(livelier(model), hub / "checkpoints" / "encodec_24khz-d7cc33bc.th")


def write_vggish(hub: Path) -> None:
    repository = hub / "harritaylor_torchvggish_master"
    repository.mkdir()
    (repository / "hubconf.py").write_text(HUBCONF)
    module: dict = {}
    exec(HUBCONF, module)
    state = {key: value.half() for key, value in livelier(module["VGGish"]()).items()}
    torch.save(state, hub / "checkpoints" / "vggish-10086976.pth")
    torch.save({"pca_means": torch.zeros(128)}, hub / "checkpoints" / "vggish_pca_params-970ea276.pth")


def write_clap(hub: Path, hf: Path) -> None:
    """CLAP with its real audio tower; the text tower, which no audio reaches, is cut down to one small layer."""
    from transformers import RobertaConfig, RobertaModel

    cached = hf / "hub" / "models--roberta-base"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    config = RobertaConfig(vocab_size=128, max_position_embeddings=514, num_hidden_layers=1, intermediate_size=64)
    RobertaModel(config).save_pretrained(cached / "snapshots" / ("0" * 40))
    import laion_clap

    state = laion_clap.CLAP_Module(enable_fusion=False, device="cpu").model.state_dict()
    state["text_branch.embeddings.position_ids"] = torch.arange(514)[None]  # the released file has it, too
    torch.save({"state_dict": state}, hub / "630k-audioset-best.pt")


if __name__ == "__main__":
    torch.manual_seed(0)
    (ROOT / "hub" / "checkpoints").mkdir(parents=True)
    write_encodec(ROOT / "hub")
    write_vggish(ROOT / "hub")
    write_clap(ROOT / "hub", ROOT / "hf")

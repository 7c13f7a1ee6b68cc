"""The score as a validation metric in Lightning: `pip install lightning 'cocola-metric[torchmetrics]'`, then run me."""

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from cocola_metric import CocolaMetric, examples
from cocola_metric.audio import SAMPLE_RATE, read_audio

WINDOW = 5 * SAMPLE_RATE


class Generator(lightning.LightningModule):
    """A generator of one filter, which stands for yours: it makes an accompaniment out of noise and a mix."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Conv1d(2, 1, 65, padding="same")
        self.cocola = CocolaMetric(sample_rate=SAMPLE_RATE)  # its encoder is in no state_dict and in no optimiser

    def forward(self, conditioning: Tensor) -> Tensor:
        """Return an accompaniment: (B, L) -> (B, L)."""
        noise = torch.randn(conditioning.shape, generator=torch.Generator().manual_seed(0)).to(conditioning)
        return self.filter(torch.stack([conditioning, 0.1 * noise], dim=1))[:, 0]

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Return the loss of this toy: the distance of the magnitudes of the spectra."""
        conditioning, accompaniment = batch
        spectra = [torch.fft.rfft(side).abs() for side in (self(conditioning), accompaniment)]
        return nn.functional.l1_loss(*spectra)

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Score what the generator plays; Lightning computes the mean of all pairs and resets it after each epoch."""
        conditioning, _ = batch
        self.cocola.update(conditioning, self(conditioning))
        self.log("cocola", self.cocola, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser of the filter."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def windows() -> TensorDataset:
    """Return windows of an example song: (conditioning, accompaniment), twice (K, L)."""
    songs = examples()
    sides = (torch.as_tensor(read_audio(side)) for side in (songs.conditioning, songs.accompaniment))
    return TensorDataset(*(side.unfold(0, WINDOW, WINDOW) for side in sides))


def main(epochs: int = 2) -> float:
    """Train for some epochs; print and return the score of the last validation."""
    music = DataLoader(windows(), batch_size=2)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Generator()
    trainer.fit(model, music, music)
    score = trainer.callback_metrics["cocola"].item()
    print(f"COCOLA {score:.2f}  {model.cocola.signature}")
    return score


if __name__ == "__main__":
    main()

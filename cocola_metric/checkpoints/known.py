"""The table of known encoders: training data, place, and the way to get those that cannot be downloaded."""

from dataclasses import dataclass, replace
from pathlib import Path

LIBRARY = "cocola-metric"  # what the Hub and a card call this package
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
GRAPH_FILE = "encoder.onnx"
"""File of the network; its tensors lie in the weights file."""
WEIGHTS_KEY = "weights_sha256"
"""Key in config.json of the hash of the weights file that it was written for; older folders lack it."""
EMBEDDED_FOLDER = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class PublishedFile:
    """A file in a public GitHub repository.

    Attributes:
        repository: name of the repository, "organisation/name".
        commit: commit in the address, full or abbreviated; GitHub accepts both.
        file: path of the file in the repository.
        licence: licence of the repository.
        citation: publication to be cited.
        sha256: SHA-256 of the file; None while no maintainer has pinned it.
    """

    repository: str
    commit: str
    file: str
    licence: str
    citation: str
    sha256: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A known encoder.

    Attributes:
        training_data: music that it was trained on.
        front_end: key of ``encoder.FRONT_ENDS``.
        folder: folder on this disk; None for encoders that do not come with this package.
        repo_id: name of its Hub repository; None while there is none.
        revision: commit of the repository.
        sha256: SHA-256 of the weights file; a file with another one is refused.
        published: file of its authors on GitHub, in their own format; fetched and converted on request.
        remedy: instructions for getting an encoder that is in none of these places.
    """

    training_data: str
    front_end: str
    folder: Path | None = None
    repo_id: str | None = None
    revision: str | None = None
    sha256: str | None = None
    published: PublishedFile | None = None
    remedy: str = ""


_PHALAR = PublishedFile(
    "gladia-research-group/phalar",
    "4a33399",
    "ckpts/PHALAR_best.ckpt",
    licence="MIT",
    citation="PHALAR, arXiv 2605.03929 (ICML 2026)",
)
_ON_A_FILE_SHARING_SITE = (
    "the authors publish it on a file-sharing site (linked in github.com/gladia-research-group/cocola{where}) and not "
    "on the Hub; download the .ckpt file and pass its path instead of the name"
)
_PAPER_ONLY = (
    "in the paper's Table 2, but no published file of it is known; train one on {corpus} "
    "(cocola_metric.training), or pass the path of a file you were given"
)
_EARLIER = ", in its README at commit 0ec9436 of June 2024"
CHECKPOINTS: dict[str, Checkpoint] = {
    "embedded": Checkpoint("rendered music, see the model card", "pitch_onset", folder=EMBEDDED_FOLDER),
    "all": Checkpoint(
        "MoisesDB, Slakh2100 and the random ensembles of CocoChorales (section 5)",
        "mel",
        remedy=_ON_A_FILE_SHARING_SITE.format(where=_EARLIER),
    ),
    "cocochorales": Checkpoint(
        "CocoChorales, all ensembles (section 5)", "mel", remedy=_ON_A_FILE_SHARING_SITE.format(where=_EARLIER)
    ),
    "moisesdb": Checkpoint("MoisesDB (section 5)", "mel", remedy=_PAPER_ONLY.format(corpus="MoisesDB")),
    "slakh2100": Checkpoint("Slakh2100 (section 5)", "mel", remedy=_PAPER_ONLY.format(corpus="Slakh2100")),
    "phalar": Checkpoint("as stated by its authors", "cqt", published=_PHALAR),
    "cocola_2026": Checkpoint(
        "as stated by its authors", "hps_reflect", published=replace(_PHALAR, file="ckpts/COCOLA_best.ckpt")
    ),
    "hp_v1": Checkpoint("as stated by its authors", "hps", remedy=_ON_A_FILE_SHARING_SITE.format(where="")),
}

"""BibTeX of what stands behind a score: the paper, this package, and the encoder with the signature of its scores."""

import argparse
import re

from ..checkpoints import CHECKPOINTS
from ..names import printable
from ..version import VERSION
from .answers import Answer
from .opening import open_scorer

PAPER = r"""@article{ciranni2024cocola,
  title   = {{COCOLA}: Coherence-Oriented Contrastive Learning of Musical Audio Representations},
  author  = {Ciranni, Ruben and Postolache, Emilian and Mariani, Giorgio and Mancusi, Michele and Cosmo, Luca and Rodol{\`a}, Emanuele},
  journal = {arXiv preprint arXiv:2404.16969},
  year    = {2024}
}"""  # noqa: E501 as in README.md
PACKAGE = f"""@software{{cocola_metric,
  title   = {{cocola-metric: does this accompaniment fit this music?}},
  author  = {{{{The cocola-metric authors}}}},
  version = {{{VERSION}}},
  license = {{MIT}},
  url     = {{https://github.com/cocola-metric/cocola-metric}}
}}"""


def citation(options: argparse.Namespace) -> Answer:
    """Return BibTeX of the paper, of this package, and of the encoder that the options name."""
    scorer = open_scorer(options)
    entries = {"paper": PAPER, "package": PACKAGE, "encoder": _encoder(scorer.name, scorer.signature)}
    return Answer(entries, printed="\n\n".join(entries.values()))


def _encoder(name: str, signature: str) -> str:
    known = CHECKPOINTS.get(name)
    published = known.published if known is not None else None
    key = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "unnamed"
    fields = {"title": f"{{The encoder {_escaped(name)}}}"}
    if published is not None:
        fields |= {
            "howpublished": f"{_escaped(published.citation)}; file {_escaped(published.file)}",
            "url": f"https://github.com/{published.repository}",
        }
    elif name == "embedded":
        fields |= {"author": "{The cocola-metric authors}", "howpublished": "part of cocola-metric"}
    fields |= {"note": rf"Scores of this recipe: \texttt{{{_escaped(signature)}}}"}
    lines = ",\n".join(f"  {field:12} = {{{text}}}" for field, text in fields.items())
    return f"@misc{{cocola_encoder_{key},\n{lines}\n}}"


def _escaped(text: str) -> str:
    r"""Return a text in which nothing is a command of TeX.

    >>> print(_escaped("a_b{c}"))
    a\_b\{c\}
    """
    return re.sub(r"([#$%&_{}])", r"\\\1", printable(text).replace("\\", "/"))

"""The signature string: everything that changes a score or its reading, so that a number can be cited."""

from urllib.parse import quote

from .version import VERSION

HASH_DIGITS = 8


def signature(
    *,
    model: str,
    weights_sha256: str,
    mode: str,
    window: float,
    hop: float,
    sample_rate: int,
    front_end: str = "",
    similarity: str = "",
    symmetric: bool = False,
    reference_sha256: str = "",
) -> str:
    """Return the recipe of a score in one line, in the form of sacrebleu; times are in seconds, the rate in Hz.

    The front end and the similarity are named if the weights would also fit another one, and "symmetric" if a score is
    the mean of both directions. The reference is named if there is one: percentile, likelihood and anchored score
    depend on it, and the score does not (`score_recipe`). Separators within a name are escaped as in a URL, so that no
    name of a folder can look like another recipe.

    >>> signature(
    ...     model="embedded", weights_sha256="3f9a1c2e77", mode="both", window=5.0, hop=2.5, sample_rate=16000
    ... ).rpartition("|")[0]
    'COCOLA|model:embedded|weights:3f9a1c2e|mode:both|win:5.0|hop:2.5|sr:16000'
    """
    parts = {
        "model": _escaped(model),
        "weights": weights_sha256[:HASH_DIGITS],
        **({"front": front_end} if front_end else {}),
        **({"sim": similarity} if similarity else {}),
        "mode": mode,
        **({"symmetric": "yes"} if symmetric else {}),
        "win": f"{round(window * sample_rate) / sample_rate}",
        "hop": f"{round(hop * sample_rate) / sample_rate}",
        "sr": f"{sample_rate}",
        **({"ref": reference_sha256[:HASH_DIGITS]} if reference_sha256 else {}),
        "v": VERSION,
    }
    return "|".join(["COCOLA", *(f"{key}:{value}" for key, value in parts.items())])


def anchored_signature(signature: str, anchor: str) -> str:
    """Return the signature of scores whose anchors are those of a user's own pairs.

    >>> anchored_signature("COCOLA|model:embedded|ref:3f9a1c2e|v:1.0", "these")
    'COCOLA|model:embedded|ref:3f9a1c2e|anchor:these|v:1.0'
    """
    start, _, version = signature.rpartition("|")
    return f"{start}|anchor:{_escaped(anchor)}|{version}"


def score_recipe(signature: str) -> str:
    """Return a signature without the parts that a score does not depend on; equal recipes give equal scores.

    >>> score_recipe("COCOLA|model:embedded|ref:3f9a1c2e|anchor:these|v:1.0")
    'COCOLA|model:embedded|v:1.0'
    """
    return "|".join(part for part in signature.split("|") if not part.startswith(("ref:", "anchor:")))


def embedder_recipe(signature: str) -> str:
    """Return the recipe of the embeddings behind a signature's scores, for the store of embeddings and for FAD.

    >>> embedder_recipe("COCOLA|model:embedded|weights:3f9a1c2e|v:1.0")
    'embedder:cocola|model:embedded|weights:3f9a1c2e|axis:time|package:cocola-metric-1.0'
    """
    _, *parts, version = score_recipe(signature).split("|")
    return "|".join(["embedder:cocola", *parts, "axis:time", version.replace("v:", "package:cocola-metric-")])


def _escaped(name: str) -> str:
    """Return a name in which separators of a signature and invisible characters are escaped.

    >>> _escaped("embedded|weights:0")
    'embedded%7Cweights%3A0'
    """
    fits = (character if character.isprintable() and character not in "|:%" else None for character in name)
    return "".join(kept or quote(character, errors="surrogatepass") for kept, character in zip(fits, name, strict=True))

"""Makes scores small for `compact.py`: what no reader of ours looks at goes."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

from cocola_metric.training.rendering.notation import read_musicxml

READ_TAGS = frozenset(
    {
        *("part-list", "score-part", "part-name", "part", "measure", "attributes", "divisions", "backup", "forward"),
        *("duration", "note", "grace", "cue", "chord", "pitch", "step", "alter", "octave", "tie"),
    }
)
READ_ATTRIBUTES = frozenset({"id", "type"})


def compact_score(path: Path) -> None:
    """Keep of a compressed MusicXML score what `read_musicxml` reads."""
    parts = read_musicxml(path)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("xml") and not name.startswith("META-INF"))
        score = ElementTree.fromstring(archive.read(name))
    _strip(score)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(zipfile.ZipInfo(name), ElementTree.tostring(score), zipfile.ZIP_LZMA)
    if read_musicxml(path) != parts:
        raise RuntimeError(f"{path}: the compacted score reads otherwise")


def _strip(element: ElementTree.Element) -> None:
    element.tail = None
    element.text = element.text if (element.text or "").strip() else None
    element.attrib = {name: value for name, value in element.attrib.items() if name in READ_ATTRIBUTES}
    for child in list(element):
        if child.tag in READ_TAGS:
            _strip(child)
        else:
            element.remove(child)

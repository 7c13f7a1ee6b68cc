"""The recorded songs that the documents measure: named with source and licence, and recognised by their checksums."""

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "recorded_songs"
CHECKSUMS = dict(reversed(line.split(maxsplit=1)) for line in (FOLDER / "SHA256SUMS").read_text("utf-8").splitlines())


def test_every_song_has_a_source_and_a_licence() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| [\d:]+ \| (.+) \| (.+) \| .+ \|$", _document(), re.MULTILINE)
    stems = {song: sum(name.startswith(f"{song}/") for name in CHECKSUMS) for song, *_ in rows}
    assert {song: int(count) for song, count, *_ in rows} == stems
    assert len(rows) == 12 and sum(stems.values()) == len(CHECKSUMS) == 69


def test_every_stem_has_a_group() -> None:
    groups = json.loads((FOLDER / "GROUPS.json").read_text("utf-8"))
    assert {f"{song}/{file}" for song, files in groups.items() for file in files} == set(CHECKSUMS)


def test_the_songs_at_hand_are_those(shared) -> None:
    songs = shared("stems/recorded")
    assert {name: hashlib.sha256((songs / name).read_bytes()).hexdigest() for name in CHECKSUMS} == CHECKSUMS
    assert {folder.name for folder in songs.iterdir() if folder.is_dir()} == {
        name.partition("/")[0] for name in CHECKSUMS
    }
    assert (songs / "GROUPS.json").read_text("utf-8") == (FOLDER / "GROUPS.json").read_text("utf-8")


def _document() -> str:
    return (ROOT / "docs" / "recorded_songs.md").read_text("utf-8")

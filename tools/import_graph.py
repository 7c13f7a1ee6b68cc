"""Count the rooms of a checkout and who imports whom: python -m tools.import_graph [CHECKOUT].

A room is a folder of a package, or a file beside them. An arrow leads from a room to one that it imports, at the top of
a file or inside a function.
"""

import argparse
import ast
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("cocola_metric", "training", "benchmarks")

Arrows = Mapping[str, set[str]]


def find_files(checkout: Path) -> dict[str, Path]:
    """Return the files of the three packages by the names under which they are imported."""
    files = {}
    for package in PACKAGES:
        inside = "" if package == "cocola_metric" else f".{package}"
        for file in sorted((checkout / package).rglob("*.py")):
            path = file.relative_to(checkout / package).with_suffix("")
            parts = [part for part in path.parts if part != "__init__"]
            if parts[:1] != ["offline"] and parts[-1:] != ["__main__"]:
                files[".".join([f"cocola_metric{inside}", *parts])] = file
    return files


def find_imports(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the files of the packages that the file ``name`` imports, by their names."""
    package = name if files[name].stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(files[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            named = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            named = [(source, alias.name) for alias in node.names]
        else:
            continue
        for source, inner in named:
            found = f"{source}.{inner}" if f"{source}.{inner}" in files else source
            if found in files and found != name:
                yield found


def room_of(name: str) -> str:
    """Return the room of a file: "audio", "training/corpora"; an entrance of a package is a room without a name."""
    parts = name.split(".")[1:]
    return "/".join(parts[:2] if parts[:1] in (["training"], ["benchmarks"]) else parts[:1])


def draw_arrows(files: Mapping[str, Path]) -> Arrows:
    """Return the rooms that each room imports; entrances of packages are left out."""
    arrows: dict[str, set[str]] = {room_of(name): set() for name in files}
    for name in files:
        arrows[room_of(name)] |= {room_of(found) for found in find_imports(name, files)} - {room_of(name)}
    entrances = {"", *PACKAGES}
    return {room: found - entrances for room, found in arrows.items() if room not in entrances}


def longest_chain(arrows: Arrows) -> list[str]:
    """Return the longest way along the arrows, from the importing end.

    Raises:
        ValueError: the arrows go in a circle.
    """

    @functools.cache
    def chain_from(room: str) -> tuple[str, ...]:
        return (
            room,
            *max((chain_from(found) for found in sorted(arrows[room]) if found in arrows), key=len, default=()),
        )

    try:
        return list(max((chain_from(room) for room in sorted(arrows)), key=len, default=()))
    except RecursionError as error:
        raise ValueError("the arrows go in a circle") from error


@dataclass(frozen=True)
class Counts:
    """What is counted of one package.

    Attributes:
        files: number of its files.
        rooms: number of its rooms.
        arrows: number of arrows between them.
        chain: the longest way along the arrows, from the importing end.
    """

    files: int
    rooms: int
    arrows: int
    chain: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{self.files} files in {self.rooms} rooms, {self.arrows} arrows, "
            f"longest chain {len(self.chain)}: {' > '.join(self.chain)}"
        )


def count_within(package: str, arrows: Arrows, files: Mapping[str, Path]) -> Counts:
    """Count rooms, arrows between them and the longest chain, all within one package."""
    within = {room: {found for found in arrows[room] if owner(found) == package} for room in arrows}
    within = {room: found for room, found in within.items() if owner(room) == package}
    count = sum(owner(room_of(name)) == package and room_of(name) in within for name in files)
    return Counts(count, len(within), sum(map(len, within.values())), longest_chain(within))


def count_between(arrows: Arrows) -> int:
    """Count the arrows that lead from one package to another."""
    return sum(owner(room) != owner(found) for room in arrows for found in arrows[room])


def fill_table(text: str, counts: Mapping[str, Counts], between: int) -> str:
    """Return a document in which the rows "now" of the table of counts are those given."""
    rows = {
        f"`{package}`": f"| {found.files} | {found.rooms} | {found.arrows} | {len(found.chain)} |"
        for package, found in counts.items()
    }
    rows["between the packages"] = f"| | | {between} | |"
    for name, row in rows.items():
        text = re.sub(rf"^(\| {re.escape(name)}, before \|.*\n\| now ).*$", rf"\g<1>{row}", text, flags=re.MULTILINE)
    return text


def owner(room: str) -> str:
    """Return the package of a room."""
    first = room.partition("/")[0]
    return first if first in PACKAGES else "cocola_metric"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.import_graph", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "checkout", type=Path, nargs="?", default=Path(), help="folder of the repository (default: here)"
    )
    parser.add_argument("--arrows", action="store_true", help="list every room with the rooms that it imports")
    parser.add_argument("--write", type=Path, metavar="FILE", help="bring the table in docs/contributing.md up to date")
    options = parser.parse_args(arguments)
    files = find_files(options.checkout)
    arrows = draw_arrows(files)
    counts = {package: count_within(package, arrows, files) for package in PACKAGES}
    for package, found in counts.items():
        print(f"{package}: {found}")
    between = count_between(arrows)
    print(f"between the packages: {between} arrows")
    if options.write:
        options.write.write_text(fill_table(options.write.read_text("utf-8"), counts, between), "utf-8")
    if options.arrows:
        for room in sorted(arrows):
            print(f"{room} -> {', '.join(sorted(arrows[room])) or 'nothing'}")


if __name__ == "__main__":
    main()

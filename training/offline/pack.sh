#!/bin/bash
# Pack all that rendering and training need on a machine without a network, in parts of limited size.
#
#   training/offline/pack.sh SOURCES OUT [MEGABYTES]
#
# SOURCES is the folder that `make corpora` reads (scores/, stems/); OUT gets part0, part1, ... of at most so many
# megabytes (default: 67; all of Debian's data and SOURCES make one part below 64 MiB). It needs this package with
# [corpora], 1 GB in TMPDIR and five minutes. On the other machine, an x86-64 Linux of at least this one's glibc with
# Python 3.12, torch, torchaudio, timm, accelerate, safetensors, scipy and tqdm, as root:
#
#   cat part? >bundle && python3 -m tarfile --filter tar -e bundle /
#   bash /opt/cocola/run.sh RESULTS SECONDS HOURS LANE...
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2; fi
sources=$(realpath "$1") out=$(realpath -m "$2") megabytes=${3:-67}
here=$(dirname "$(realpath "$0")") repository=$(realpath "$(dirname "$(realpath "$0")")/../..")
python=${PYTHON:-python3} target_python=${TARGET_PYTHON:-3.12}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
home=$root/opt/cocola
mkdir -p "$home"/{site,lib,sources/stems} "$out"

cp -r "$repository/cocola_metric" "$home/site/"
cp -r "$repository/training" "$repository/benchmarks" "$home/site/cocola_metric/"
rm -rf "$home/site/cocola_metric/benchmarks/weights"
cp -r "$repository/training/configs" "$here/run.sh" "$here/changes" "$home/"
for folder in scores stems/desk; do  # stems/recorded is held out: it has no business on a machine that trains
    if [ -e "$sources/$folder" ]; then cp -rL "$sources/$folder" "$home/sources/$folder"; fi
done
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$repository/pyproject.toml")
mkdir "$home/site/cocola_metric-$version.dist-info"  # the package asks for its own version
printf 'Metadata-Version: 2.1\nName: cocola-metric\nVersion: %s\n' "$version" \
    >"$home/site/cocola_metric-$version.dist-info/METADATA"

# Python packages that machines with torch tend to lack
"$python" -m pip install --quiet --no-deps --no-compile --only-binary=:all: --python-version "$target_python" \
    --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --target "$home/site" \
    soundfile cffi pycparser lazy_loader packaging mido pretty_midi importlib_resources diffusers importlib_metadata
rm -rf "$home/site/bin" "$home/site/pretty_midi/TimGM6mb.sf2"

# libfluidsynth and libopenmpt with all they link to, but for the C library's own
for library in libfluidsynth.so.3 libopenmpt.so.0; do
    path=$(ldconfig -p | awk -v name="$library" '$1 == name && !path {path = $NF} END {print path}')
    cp -L "$path" "$home/lib/"
    ldd "$path" | awk '$2 == "=>" {print $3}' | grep -vE '/(libc|libm|libpthread|libdl|librt|libgcc_s|libstdc\+\+)\.so' |
        xargs -I{} cp -nL {} "$home/lib/"
done

# Debian's data, where the recipes look for it
for file in /usr/bin/mma /usr/share/mma /usr/share/sounds/sf3/MuseScore_General_Lite.sf3 \
    /usr/share/sounds/sf2/TimGM6mb.sf2 /usr/share/hydrogen/data/drumkits /usr/share/planetblupi/music \
    /usr/share/games/openttd/baseset/openmsx; do
    if [ -e "$file" ]; then cp -r --parents "$file" "$root"; else echo "not here, left out: $file" >&2; fi
done
find "$root/usr/share/mma/lib" -name '*.mid' -delete
find "$root" -name __pycache__ -prune -exec rm -rf {} +

# What a recipe would make from an installed library, or find in installed packages
if [ ! -e "$home/sources/scores/chorales" ]; then
    mkdir -p "$home/sources/scores/chorales"
    "$python" -c 'from cocola_metric.training.rendering.recipes.chorales import cached_chorales; print(cached_chorales())' |
        xargs -I{} cp {} "$home/sources/scores/chorales/" || echo "not here, left out: Bach chorales" >&2
fi
if [ ! -e "$home/sources/scores/modules" ]; then
    "$python" -c '
from pathlib import Path
from cocola_metric.training.rendering.sources import SOURCES
for name, source in SOURCES.items():
    if name.startswith("modules"):
        print(*source.find_files(Path("/nowhere")), sep="\n")' | sed /^$/d | xargs -d '\n' -I{} cp --parents {} "$root"
fi

"$python" "$here/compact.py" "$root" "$home/sources"
rm -f "$out"/part?
tar -C "$root" -c opt usr | xz -9 -T1 | split -b "${megabytes}000000" -d -a 1 - "$out/part"
ls -l "$out"
echo "total $(cat "$out"/part? | wc -c) bytes"

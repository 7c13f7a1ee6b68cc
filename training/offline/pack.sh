#!/bin/bash
# Pack all that rendering and training need on a machine without a network, in parts of limited size.
#
#   training/offline/pack.sh SOURCES OUT [MEGABYTES]
#
# SOURCES is the folder that `make corpora` reads (scores/, stems/); OUT gets part0, part1, ... of at most so many
# megabytes (default: 38). On the other machine, an x86-64 Linux of at least this one's glibc with Python 3.12, torch,
# torchaudio, timm, accelerate, safetensors, scipy and tqdm, as root:
#
#   cat part? | tar xz -C / && bash /opt/cocola/run.sh RESULTS SECONDS HOURS LANE...
set -euo pipefail
sources=$(realpath "$1") out=$(realpath -m "$2") megabytes=${3:-38}
here=$(dirname "$(realpath "$0")") repository=$(realpath "$(dirname "$(realpath "$0")")/../..")
python=${PYTHON:-python3} target_python=${TARGET_PYTHON:-3.12}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
home=$root/opt/cocola
mkdir -p "$home"/{site,lib,wheels} "$out"

cp -r "$repository/cocola_metric" "$home/site/"
cp -r "$repository/training" "$repository/benchmarks" "$home/site/cocola_metric/"
rm -rf "$home/site/cocola_metric/benchmarks/weights"
cp -r "$repository/training/configs" "$here/run.sh" "$here/changes" "$home/"
cp -rL "$sources" "$home/sources"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$repository/pyproject.toml")
mkdir "$home/site/cocola_metric-$version.dist-info"  # the package asks for its own version
printf 'Metadata-Version: 2.1\nName: cocola-metric\nVersion: %s\n' "$version" \
    >"$home/site/cocola_metric-$version.dist-info/METADATA"
rm -rf "$home/sources/stems/recorded"  # held out: it has no business on a machine that trains

# Python packages that machines with torch tend to lack
"$python" -m pip download --quiet --no-deps --only-binary=:all: --python-version "$target_python" --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --dest "$home/wheels" \
    soundfile cffi pycparser mido pretty_midi importlib_resources diffusers importlib_metadata

# libfluidsynth and libopenmpt with all they link to, but for the C library's own
for library in libfluidsynth.so.3 libopenmpt.so.0; do
    path=$(ldconfig -p | awk -v name="$library" '$1 == name {print $NF; exit}')
    cp -L "$path" "$home/lib/"
    ldd "$path" | awk '$2 == "=>" {print $3}' | grep -vE '/(libc|libm|libpthread|libdl|librt|libgcc_s|libstdc\+\+)\.so' |
        xargs -I{} cp -nL {} "$home/lib/"
done

# Debian's data, where the recipes look for it; one drum kit of 156 MB stays behind
for file in /usr/bin/mma /usr/share/mma /usr/share/sounds/sf3/MuseScore_General_Lite.sf3 \
    /usr/share/sounds/sf2/TimGM6mb.sf2 /usr/share/hydrogen/data/drumkits /usr/share/planetblupi/music \
    /usr/share/games/openttd/baseset/openmsx; do
    if [ -e "$file" ]; then cp -r --parents "$file" "$root"; else echo "not here, left out: $file" >&2; fi
done
rm -rf "$root/usr/share/hydrogen/data/drumkits/ForzeeStereo"
find "$root/usr/share/mma/lib" -name '*.mid' -delete
find "$root" -name __pycache__ -prune -exec rm -rf {} +

rm -f "$out"/part?
tar -C "$root" -cz opt usr | split -b "${megabytes}000000" -d -a 1 - "$out/part"
ls -l "$out"

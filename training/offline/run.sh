#!/bin/bash
# Render the corpora and train the encoders within so many seconds; weights, configurations and logs go to RESULTS.
#
#   bash /opt/cocola/run.sh RESULTS SECONDS [HOURS [CONFIG ...]]
#
# A corpus that is ready is trained on while the next one is rendered. Progress: RESULTS/job.log.
set -u
results=$(realpath -m "$1") seconds=$2 hours=${3:-30}
shift $(($# < 3 ? $# : 3))
configs=${*:-moisesdb cocochorales slakh2100 embedded all}
here=$(dirname "$(realpath "$0")")
begun=$(date +%s)
cores=$(nproc)
mkdir -p "$results"
cd "$here" || exit 1
python3 -m pip install --quiet --no-index --no-deps --no-compile --target site wheels/*.whl
export PYTHONPATH=$here/site PYTHONUNBUFFERED=1 OMP_NUM_THREADS=2

say() { echo "[$(($(date +%s) - begun))] $*" | tee -a "$results/job.log"; }
minutes_left() { echo "scale=2; ($seconds - 25 - $(date +%s) + $begun) / 60" | bc -l 2>/dev/null ||
    python3 -c "print(round(($seconds - 25 - $(date +%s) + $begun) / 60, 2))"; }
wanted() { [[ " $configs " == *" $1 "* ]]; }

# Several processes share a GPU well only through NVIDIA's MPS, where it runs.
if command -v nvidia-cuda-mps-control >/dev/null; then
    nvidia-cuda-mps-control -d
    timeout 25 python3 -c "import torch; torch.zeros(1).cuda()" || echo quit | nvidia-cuda-mps-control
fi

render() {
    LD_LIBRARY_PATH=$here/lib OMP_NUM_THREADS=1 python3 -m cocola_metric.training.rendering corpora --sources sources \
        --hours "$(python3 -c "print($hours / 3)")" --corpora "$1" --splits train validation --jobs "$cores" \
        >"$results/render_$1.log" 2>&1
    say "rendered $1: $?"
    cp corpora/manifest.json "$results/manifest_$1.json"
    python3 -c "
from pathlib import Path
from cocola_metric.training.bank import open_banks
for split in ('train', 'validation'):
    open_banks(['corpora/$1'], split, Path('cache'), workers=$cores)" >>"$results/render_$1.log" 2>&1
    say "decoded $1: $?"
}
train() {
    wanted "$1" || return 0
    (
        say "training $1 for at most $2 minutes"
        python3 -W ignore -m cocola_metric.training.train "configs/$1.toml" --out "runs/$1" --cache cache --workers 3 \
            --minutes "$2" >"$results/train_$1.log" 2>&1
        say "trained $1: $?"
        mkdir -p "$results/$1"
        cp runs/"$1"/{model.safetensors,config.json,training.json,log.csv} "$results/$1/"
    ) &
}

render desk
train moisesdb 8
render chorus
train cocochorales 8
render bands
train embedded "$(minutes_left)"
train slakh2100 8
train all "$(minutes_left)"
wait
say "done"

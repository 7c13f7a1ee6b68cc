#!/bin/bash
# Render the corpora and train within so many seconds; weights, configurations and logs go to RESULTS.
#
#   bash /opt/cocola/run.sh RESULTS SECONDS HOURS LANE...
#
# A lane is trainings one after the other, NAME:MINUTES with a configuration's name; the lanes run side by side.
# NAME=BASE:MINUTES is configuration BASE changed by the words of changes/NAME. Progress: RESULTS/job.log.
set -u
results=$(realpath -m "$1") seconds=$2 hours=$3
shift 3
here=$(dirname "$(realpath "$0")")
begun=$(date +%s)
cores=$(nproc)
mkdir -p "$results"
cd "$here" || exit 1
export PYTHONPATH=$here/site PYTHONUNBUFFERED=1 OMP_NUM_THREADS=2

say() { echo "[$(($(date +%s) - begun))] $*" | tee -a "$results/job.log"; }
least() { python3 -c "print(round(min($1, ($seconds - 20 - $(date +%s) + $begun) / 60), 2))"; }

# Several processes share a GPU well only through NVIDIA's MPS, where it runs. They get no shares of their own by
# CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: with 30 to 40 %, every training that had one gave NaN (torch 2.11, driver 580).
if command -v nvidia-cuda-mps-control >/dev/null; then
    nvidia-cuda-mps-control -d
    timeout 25 python3 -c "import torch; torch.zeros(1).cuda()" || echo quit | nvidia-cuda-mps-control
fi

render() {
    LD_LIBRARY_PATH=$here/lib OMP_NUM_THREADS=1 python3 -m cocola_metric.training render corpora --sources sources \
        --hours "$(python3 -c "print($hours / 3)")" --corpora "$1" --splits train validation --jobs "$cores" \
        >"$results/render_$1.log" 2>&1
    say "rendered $1: $?"
    cp corpora/manifest.json "$results/manifest_$1.json"
    python3 -c "
from pathlib import Path
from cocola_metric.training.corpora.bank import open_banks
for split in ('train', 'validation'):
    open_banks(['corpora/$1'], split, Path('cache'), workers=$cores)" >>"$results/render_$1.log" 2>&1
    say "decoded $1: $?"
}
train() { # NAME[=BASE] MINUTES
    local name=${1%%=*} base=${1##*=} module=train changes=() minutes
    minutes=$(least "$2")
    case $base in msdm*) module=train_msdm ;; componet*) module=componet_small ;; esac
    if [ -e "changes/$name" ]; then read -ra changes <"changes/$name" && changes=(--set "${changes[@]}"); fi
    say "training $name for at most $minutes minutes"
    python3 -W ignore -m "cocola_metric.training.$module" "configs/$base.toml" \
        "${changes[@]}" --out "runs/$name" --cache cache --workers 3 --minutes "$minutes" >"$results/train_$name.log" 2>&1
    say "trained $name: $?"
    keep "$name"
}
keep() { # what is worth keeping of a run, without optimiser states
    (cd runs && find "$1" \( -name '*.safetensors' -o -name '*.json' -o -name '*.csv' -o -name '*.txt' -o -name '*.wav' \) \
        -exec cp --parents {} "$results/" \;)
}

for corpus in desk chorus bands; do render "$corpus"; done
for lane in "$@"; do
    (for job in $lane; do
        train "${job%:*}" "${job#*:}"
    done) &
done
wait
say "done"

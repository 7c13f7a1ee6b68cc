#!/bin/bash
# Render the corpora and train within so many seconds; weights, configurations and logs go to RESULTS.
#
#   training/offline/run.sh RESULTS SECONDS HOURS LANE...     in a checkout, after make .venv/test
#   bash /opt/cocola/run.sh RESULTS SECONDS HOURS LANE...     on a machine where a bundle of pack.sh was unpacked
#
# A lane is a list of trainings, one after the other; lanes run side by side. A training is NAME:MINUTES, with the name
# of a configuration, or NAME=BASE:MINUTES, configuration BASE changed by the words of changes/NAME.
# Progress is in RESULTS/job.log. The first error stops everything, with exit status 1; finished trainings are in RESULTS.
#
# PYTHON   interpreter (default: that of the checkout's .venv, else python3)
# SOURCES  folder of scores/ and stems/ (default: sources beside this script or in the checkout)
# WORK     folder of corpora, decoded samples and runs (default: build/offline in the checkout; the bundle's folder)
# DRY_RUN  1 prints the commands and runs none of them
set -euo pipefail
if [ $# -lt 4 ]; then sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2; fi
results=$(realpath -m "$1") seconds=$2 hours=$3
shift 3
here=$(dirname "$(realpath "$0")")
begun=$(date +%s)
cores=$(nproc)
export PYTHONUNBUFFERED=1 OMP_NUM_THREADS=2

if [ -d "$here/site" ]; then # a bundle
    configs=$here/configs
    python=${PYTHON:-python3} sources=${SOURCES:-$here/sources} work=${WORK:-$here}
    export PYTHONPATH=$here/site LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
else
    repository=$(realpath "$here/../..")
    configs=$repository/training/configs
    python=${PYTHON:-$repository/.venv/bin/python} sources=${SOURCES:-$repository/sources} work=${WORK:-$repository/build/offline}
    if [ -z "${PYTHON:-}" ] && [ ! -e "$python" ]; then python=python3; fi
fi
python=$(command -v "$python") || { echo "failed: no Python; run make .venv/test, or set PYTHON" >&2 && exit 1; }
python=$(realpath -s "$python") sources=$(realpath -m "$sources") work=$(realpath -m "$work")
mkdir -p "$results" "$work"
cd "$work"

job_log=$results/job.log
if [ "${DRY_RUN:-}" = 1 ]; then job_log=/dev/null; fi
say() { echo "[$(($(date +%s) - begun))] $*" | tee -a "$job_log"; }
fail() { say "failed: $*" || true && exit 1; } # also where the log cannot be written
step() { # WHAT LOG COMMAND...
    local what=$1 log=$results/$2
    shift 2
    if [ "${DRY_RUN:-}" = 1 ]; then echo "$what: $*" && return; fi
    "$@" >>"$log" 2>&1 || { tail -n 3 "$log" || true && fail "$what; see $log"; }
    say "finished: $what"
}

render() { # CORPUS
    OMP_NUM_THREADS=1 step "render $1" "render_$1.log" "$python" -m cocola_metric.training render corpora \
        --sources "$sources" --hours "$(awk "BEGIN {print $hours / 3}")" --corpora "$1" --splits train validation --jobs "$cores"
    step "keep the list of what $1 is made of" "render_$1.log" cp corpora/manifest.json "$results/manifest_$1.json"
    step "decode $1" "render_$1.log" "$python" -c "
from pathlib import Path
from cocola_metric.training.corpora import open_banks
for split in ('train', 'validation'):
    open_banks(['corpora/$1'], split, Path('cache'), workers=$cores)"
}
train() { # NAME[=BASE] MINUTES
    local name=${1%%=*} base=${1##*=} command=train changes=() minutes
    minutes=$(awk "BEGIN {left = ($seconds - 20 - $(date +%s) + $begun) / 60; print left < $2 ? left : $2}")
    if [ "${minutes#-}" != "$minutes" ]; then fail "no time is left for $name"; fi
    case $base in
        msdm*) command=train-msdm ;;
        componet_small*) command=train-componet-small ;;
        componet*) command=train-componet ;;
    esac
    if [ -e "$here/changes/$name" ]; then read -ra changes <"$here/changes/$name" && changes=(--set "${changes[@]}"); fi
    say "train $name for at most $minutes minutes"
    step "train $name" "train_$name.log" "$python" -W ignore -m cocola_metric.training "$command" "$configs/$base.toml" \
        "${changes[@]}" --out "runs/$name" --cache cache --workers 3 --minutes "$minutes"
    step "keep $name" "train_$name.log" keep "$name"
}
keep() { # what is worth keeping of a run, without optimiser states
    (cd runs && find "$1" \( -name '*.safetensors' -o -name '*.json' -o -name '*.csv' -o -name '*.txt' -o -name '*.wav' \) \
        -exec cp --parents -t "$results" {} +)
}
run_lane() { # JOB...
    local job
    for job in "$@"; do train "${job%:*}" "${job#*:}"; done
}

for lane in "$@"; do # every configuration is looked for before hours are spent
    for job in $lane; do
        base=${job%:*} && base=$configs/${base##*=}.toml
        if [ ! -e "$base" ]; then fail "no configuration $base"; fi
    done
done

# Several processes share a GPU well only through NVIDIA's MPS, where it runs. They get no shares of their own by
# CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: with 30 to 40 %, every training that had one gave NaN (torch 2.11, driver 580).
if [ "${DRY_RUN:-}" != 1 ] && command -v nvidia-cuda-mps-control >/dev/null; then
    nvidia-cuda-mps-control -d || say "MPS could not be started, or runs already"
    timeout 25 "$python" -c "import torch; torch.zeros(1).cuda()" || { echo quit | nvidia-cuda-mps-control; }
fi

for corpus in desk chorus bands; do render "$corpus"; done
set -m # each lane is a process group of its own, so that it can be stopped with all that it started
lanes=()
for lane in "$@"; do
    # shellcheck disable=SC2086 # a lane is several words
    run_lane $lane &
    lanes+=($!)
done
stop_lanes() {
    for lane in "${lanes[@]}"; do kill -- "-$lane" 2>/dev/null || true; done
}
trap 'stop_lanes; exit 1' INT TERM
for _ in "${lanes[@]}"; do
    wait -n || { stop_lanes && wait && fail "a lane; all others were stopped"; }
done
if [ "${DRY_RUN:-}" = 1 ]; then echo "dry run: nothing was run" && exit; fi
say "done"

# `make demo` and `make test` work from a bare checkout: each sets up what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# What tests need beyond pip; a test whose package is absent is skipped and says so.
SYSTEM_PACKAGES := libfluidsynth3 fluid-soundfont-gm timgm6mb-soundfont mma libopenmpt0 ffmpeg lame chromium

.PHONY: demo help docs test test-extras test-fad test-ray hostile sdist check check-files check-types bench bench-processes bench-parts examples \
	corpora table1 table3 guidance guide-weights reference documents heads bleed bleed-heads clean

demo: $(VENV)/base  ## the example songs, scored: the first minute with this package
	$(BIN)/cocola-score --conditioning examples/harbour/drums.flac examples/harbour/bass.flac \
		--accompaniment examples/harbour/keys.flac
	$(BIN)/python examples/demo.py

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z0-9-]+:.*  ## / { printf "make %-16s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

test: $(VENV)/test system check  ## a virtual environment, `make check`, then all tests, offline
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

# The tests of two extras that share no environment with the others: [fad] (98 packages, which hold back numpy before Python
# 3.13) and Ray. Each has one of its own.
test-extras: test-fad test-ray  ## the tests of [fad] and of Ray, each in an environment of its own

test-fad: $(VENV)-fad/test  ## the first half of test-extras
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(VENV)-fad/bin/python -m pytest tests/fad

test-ray: $(VENV)-ray/test  ## the second half of test-extras
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(VENV)-ray/bin/python -m pytest tests/cli/test_ray.py \
		tests/benchmarks/table3/test_ray_engine.py

# All bad files and all kills, of which make test tries a few: ten minutes.
hostile: $(VENV)/test  ## all bad files and all kills, of which `make test` tries a few: ten minutes
	COCOLA_HOSTILE=full HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/hostile

check: check-files check-types  ## linters, type checker, workflow files, shell scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The documentation as a site in build/site, without a network. A broken link, a page without a place and a name that the API
# reference does not find are errors; then what the pages say that code prints is compared with what it prints.
docs: $(VENV)/test  ## the documents and the API as a site in build/site; code in the documents is run
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/docs

# Workflows, citation and shell scripts; nothing here needs a network.
check-files: $(VENV)/test  ## workflows, citation, Dockerfile and shell scripts: a part of check
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck training/offline/*.sh .ci/run

# The type checker sees the package as it is installed, with training/ and benchmarks/ inside.
check-types: $(VENV)/test  ## the type checker: a part of check
	rm -rf build/typed && mkdir -p build/typed/cocola_metric
	ln -s $(CURDIR)/cocola_metric/* $(CURDIR)/training $(CURDIR)/benchmarks build/typed/cocola_metric/
	MYPYPATH=build/typed $(BIN)/mypy

# The source distribution, built and unpacked without a network; some of its tests run from what was unpacked.
UNPACKED := $(CURDIR)/build/sdist/unpacked
SDIST_TESTS ?= tests/test_layout.py tests/test_functional.py tests/test_signature.py tests/test_intervals.py tests/tools
sdist: $(VENV)/test  ## the source distribution, built, unpacked, and some of its tests run from there
	rm -rf build/sdist && mkdir -p $(UNPACKED) build/sdist/packages/cocola_metric
	$(BIN)/python -m build --sdist --no-isolation --outdir build/sdist . >build/sdist/log
	tar -C $(UNPACKED) --strip-components 1 -xf build/sdist/*.tar.gz
	ln -s $(UNPACKED)/cocola_metric/* $(UNPACKED)/training $(UNPACKED)/benchmarks build/sdist/packages/cocola_metric/
	cd $(UNPACKED) && PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/build/sdist/packages:$(UNPACKED) HF_HUB_OFFLINE=1 \
		sh -c 'for package in cocola_metric cocola_metric.training cocola_metric.benchmarks tools; do \
			$(abspath $(BIN))/python -c "import $$package as found; assert \"/build/sdist/\" in found.__path__[0]" || exit 1; \
		done; $(abspath $(BIN))/python -m pytest -q -p no:cacheprovider $(SDIST_TESTS)'

# Speed: whole processes beside the original recipe and the last version that scored with torch, then the parts.
# PEER is an interpreter with another version; the one named here is made where it is not there.
BENCH_OPTIONS ?=
PEER_COMMIT := 00bf563
PEER ?= build/peer/.venv/bin/python
GROWTH ?= 20 200
bench: bench-processes bench-parts  ## speed: whole processes beside their peers, then every part

bench-processes: $(VENV)/test $(PEER)  ## the first half of bench
	HF_HUB_OFFLINE=1 $(BIN)/python -m tools.peer_bench $(PEER) --growth $(GROWTH)

bench-parts: $(VENV)/test  ## the second half of bench
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --benchmark-only $(BENCH_OPTIONS)

build/peer/.venv/bin/python:
	mkdir -p build/peer
	git archive $(PEER_COMMIT) | tar -x -C build/peer
	$(PYTHON) -m venv build/peer/.venv
	build/peer/.venv/bin/python -m pip install --quiet --constraint build/peer/constraints.txt --editable build/peer

examples: $(VENV)/test system  ## the example songs, rendered anew into examples/
	$(BIN)/python examples/compose.py

# Fonts and kits are drawn from those installed, so the corpus depends on all of them being there.
corpora: SYSTEM_PACKAGES += musescore-general-soundfont-small hydrogen-drumkits openttd-openmsx planetblupi-music-midi \
	pingus-data tecnoballz-data heroes-sound-tracks circuslinux-data madbomber-data open-invaders-data \
	criticalmass-data gltron vectoroids
# SOURCES is a folder of scores/ and stems/ (docs/corpora.md): `shared` beside the checkout where there is one, else `sources`.
# Nothing is downloaded unless told to: make corpora FETCH=--fetch
SOURCES ?= $(firstword $(wildcard ../shared) sources)
FETCH ?=
corpora: $(VENV)/test system  ## 14 hours of training and test music, rendered into corpora/
	$(PIP_INSTALL) --editable '.[corpora]'
	$(BIN)/python -m cocola_metric.training render corpora --sources $(SOURCES) $(FETCH)

# Without these, glibc gives the memory of every layer back, and a third of the time goes into getting it anew.
KEEP_MEMORY := MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=100000000

# Where table1, guidance, guide-weights and table3 leave their pages. To try one in small: make table1 COUNT=1 PAGES=build/tried
PAGES ?= docs

# Table 1 as measured: every task, answered by the small models in benchmarks/weights, in about six minutes of one core. COUNT=24
# and the published schedule of MSDM (MSDM1=) take six times as long.
TABLE1 := build/table1
COUNT ?= 8
MSDM1 ?= ,steps=32
GMSDI_WEIGHTS := $(wildcard benchmarks/weights/gmsdi)
table1: $(VENV)/test  ## Table 1 as measured, into docs/table1 (six minutes of one core; COUNT=24: more queries)
	mkdir -p $(TABLE1) $(PAGES)/table1
	for task in UG AG SS EA ER; do head -n $(COUNT) docs/table1/$$task.jsonl >$(TABLE1)/$$task.jsonl; done
	$(KEEP_MEMORY) $(BIN)/python -m cocola_metric.benchmarks table1 --queries $(TABLE1)/*.jsonl --corpus corpora/bands --batch-size 8 \
		--out $(TABLE1) --systems MSDM=msdm:benchmarks/weights/msdm$(MSDM1) \
		CompoNet=componet:benchmarks/weights/componet,steps=16 $(GMSDI_WEIGHTS:%=GMSDI=gmsdi:%,steps=32)
	cp $(TABLE1)/table1.md $(TABLE1)/table1.json $(PAGES)/table1/

# What guides gain by their own judgement and by that of others (docs/guidance.md), in a quarter of an hour of one core.
# JUDGES=paper=DIR adds an encoder that judges alone.
GUIDANCE := build/guidance
JUDGES ?=
guidance: $(VENV)/test  ## what guides gain by their own judgement and by that of others, into docs/guidance
	mkdir -p $(GUIDANCE) $(PAGES)/guidance
	head -n 8 docs/table1/AG.jsonl >$(GUIDANCE)/AG.jsonl
	head -n 6 docs/table1/SS.jsonl >$(GUIDANCE)/SS.jsonl
	$(KEEP_MEMORY) $(BIN)/python -m cocola_metric.benchmarks guidance --queries $(GUIDANCE)/AG.jsonl $(GUIDANCE)/SS.jsonl \
		--corpus corpora/bands --batch-size 4 --systems AG/MSDM=msdm:benchmarks/weights/msdm,steps=16 \
		AG/GMSDI=gmsdi:benchmarks/weights/gmsdi,steps=24 AG/CompoNet=componet:benchmarks/weights/componet,steps=16 \
		SS/MSDM=msdm:benchmarks/weights/msdm,steps=16,resamples=1 SS/GMSDI=gmsdi:benchmarks/weights/gmsdi,steps=16 \
		--guides embedded,guide_weight=1 embedded,guide_weight=10 benchmarks/weights/phalar,guide_weight=3 \
		--judges embedded phalar=benchmarks/weights/phalar $(JUDGES) --cues corpora/bands/validation \
		--best-of AG/MSDM=16 --out $(GUIDANCE)
	cp $(GUIDANCE)/guidance.md $(GUIDANCE)/guidance.json $(PAGES)/guidance/

# How much weight, and when: CompoNet's answers by embedded at other weights and schedules; five minutes more.
guide-weights: $(VENV)/test  ## after make guidance: other weights and schedules, into docs/guidance (five minutes)
	$(KEEP_MEMORY) $(BIN)/python -m cocola_metric.benchmarks guidance --queries $(GUIDANCE)/AG.jsonl --corpus corpora/bands \
		--batch-size 4 --systems AG/CompoNet=componet:benchmarks/weights/componet,steps=16 \
		--guides $(foreach weight,0.1 0.3 1 3 10 30,embedded,guide_weight=$(weight)) \
		$(foreach when,rising early late,embedded,guide_weight=3,guide_schedule=$(when)) embedded,guide_weight=3,guide_limit=0.1 \
		--judges embedded phalar=benchmarks/weights/phalar $(JUDGES) --cues corpora/bands/validation --out $(GUIDANCE)
	mkdir -p $(PAGES)/guidance
	cp $(GUIDANCE)/guidance.md $(PAGES)/guidance/weights.md

# Table 3 in miniature, as the paper has it: 200 queries, the loudest of 12 answers of MSDM, its five columns (whose cells
# say what is missing) beside ours. The small models in benchmarks/weights, on rendered bands that none of them was
# trained on. MSDM's 2,400 answers take about 50 minutes of one core, CANDIDATES=1 a twelfth of that.
TABLE3 := build/table3
CANDIDATES ?= 12
MSDM ?= steps=16,resamples=2
COMPONET ?= steps=25
TABLE3_ROWS := $(KEEP_MEMORY) $(BIN)/python -m cocola_metric.benchmarks table3 --queries docs/table3/bands.jsonl --corpus corpora/bands \
	--encoders embedded all cocochorales --embedders cocola timbre clap encodec vggish \
	--candidates msdm=$(CANDIDATES) --batch-size 8 --out $(TABLE3) --generators ground_truth random noise echo degraded \
	msdm:benchmarks/weights/msdm,$(MSDM) componet:benchmarks/weights/componet,$(COMPONET) \
	$(GMSDI_WEIGHTS:%=gmsdi:%,steps=24,resamples=2)
SMALL_MODELS := msdm $(if $(GMSDI_WEIGHTS),gmsdi) componet
table3: $(VENV)/test  ## Table 3 in miniature, into docs/table3 (CANDIDATES=1: without the choice of the loudest)
	$(TABLE3_ROWS) --until generate
	$(TABLE3_ROWS) $$(for kind in $(SMALL_MODELS); do echo swapped:$$(ls -dt $(TABLE3)/*/answers/$$kind-* | head -n 1); done)
	mkdir -p $(PAGES)/table3
	cp $(TABLE3)/table3.md $(TABLE3)/table3.json $(PAGES)/table3/

# All that the documents say about the embedded encoder, after it was replaced and make table3 done: half an hour.
RESULTS := build/documents
# The recorded songs: docs/recorded_songs.md says which they are and how to get them.
SONGS ?= $(SOURCES)/stems/recorded
TESTS := chorus=corpora/chorus/test bands=corpora/bands/test desk=corpora/desk/test recorded=$(SONGS)
EVALUATE := $(BIN)/python -m cocola_metric.training evaluate
BEHAVIOUR := $(BIN)/python -m cocola_metric.benchmarks fad-behaviour $(SONGS)
ENCODERS ?= embedded
# By which scores are read: made of validation music, and measured on the tests. Signatures name it, so it comes first.
KNOWN := chorus=corpora/chorus/validation bands=corpora/bands/validation desk=corpora/desk/validation
reference: $(VENV)/test  ## the reference by which scores are read: made and measured, into build/documents
	mkdir -p $(RESULTS)
	$(BIN)/python -m cocola_metric.training reference embedded $(KNOWN) --test $(TESTS) \
		--json $(RESULTS)/calibration.json --plot docs/calibration.png >$(RESULTS)/calibration.md
	{ echo '```text' && $(BIN)/cocola-score -c examples/harbour/drums.flac examples/harbour/bass.flac \
		-a examples/harbour/keys.flac --format text && echo '```'; } >$(RESULTS)/first_minute.md

documents: reference  ## every figure about the embedded encoder, after it was replaced
	$(EVALUATE) $(TESTS) --plot docs/score-distributions.png >$(RESULTS)/accuracy.json
	$(EVALUATE) --validity embedded --max-windows 6 --test $(TESTS) --json $(RESULTS)/validity.json >$(RESULTS)/validity.md
	$(EVALUATE) --table2 $(ENCODERS) --test $(TESTS) --json $(RESULTS)/table2.json >$(RESULTS)/table2.md
	$(BEHAVIOUR) --plot docs/fad-behaviour.png >$(RESULTS)/behaviour.md
	$(BEHAVIOUR) --embedder timbre --plot docs/fad-behaviour-timbre.png >$(RESULTS)/behaviour_timbre.md
	$(BIN)/python -m cocola_metric.benchmarks queries $(SONGS) --seconds 5.944 --out $(RESULTS)/recorded.jsonl
	$(BIN)/python -m cocola_metric.benchmarks table3 --queries $(RESULTS)/recorded.jsonl --embedders cocola timbre \
		--generators ground_truth random noise echo degraded degraded:snr=20 --out $(RESULTS)/recorded
	cp $(RESULTS)/recorded/table3.md docs/table3/recorded.md
	$(BIN)/python -m tools.documents $(RESULTS)

# The ablation of heads on the embedded encoder's trunk: maps of the corpora once (5 GB), then a few minutes each.
MAPS := build/maps
HEADS := today time pitch mixed smoothed turned
HEAD_RUNS := docs/experiments/phasors
heads: $(VENV)/test  ## the ablation of heads on its trunk
	test -e $(MAPS)/train/maps.json || \
		$(BIN)/python -m cocola_metric.training maps training/configs/heads/smoothed.toml --out $(MAPS)
	for head in $(HEADS); do $(BIN)/python -m cocola_metric.training train-head training/configs/heads/$$head.toml \
		--maps $(MAPS) --out $(HEAD_RUNS)/$$head || exit 1; done
	$(BIN)/python -m cocola_metric.training ablation $(HEADS:%=$(HEAD_RUNS)/%)

# Heads on music whose stems bleed (docs/experiments/bleed.md): make bleed prints the tables from the heads in
# training/weights/bleed, make bleed-heads trains these anew (maps of 1,920 pairs each, 1 GB; five minutes of one core a head).
# To try both in a few minutes, with heads that have learned nothing:
#   make bleed-heads BLEED_HEADS=build/bleed/heads BLEED_BATCHES=1 BLEED_SETTINGS="steps=2 warmup_steps=1 validation_windows=2 sampling.batch_size=4"
#   make bleed BLEED_HEADS=build/bleed/heads BLEED_WINDOWS=1 BLEED_OPTIONS="--max-tracks 4"
BLEED := build/bleed
BLEED_CONFIG := training/configs/heads/bleed.toml
BLEED_HEADS ?= training/weights/bleed
BLEED_BATCHES ?= 30
BLEED_SETTINGS ?=
BLEED_WINDOWS ?= 6
BLEED_OPTIONS ?=
BLEED_TABLE := $(BIN)/python -m cocola_metric.training bleed clean=$(BLEED_HEADS)/clean bled=$(BLEED_HEADS)/bled \
	"clean + bleed=$(BLEED_HEADS)/bleed" embedded
bleed: $(VENV)/test  ## the tables of music whose stems bleed
	$(BLEED_TABLE) --test recorded=$(SONGS) --max-windows $(BLEED_WINDOWS) $(BLEED_OPTIONS)
	$(BLEED_TABLE) --test rendered=corpora/bands/test rendered=corpora/desk/test --max-windows 2 $(BLEED_OPTIONS)
bleed-heads: $(VENV)/test  ## the heads of these tables, trained anew
	set -e; train() { head=$$1; shift; \
		$(BIN)/python -m cocola_metric.training maps $(BLEED_CONFIG) --set "$$@" $(BLEED_SETTINGS) --out $(BLEED)/$$head \
			--cache $(BLEED)/bank --batches $(BLEED_BATCHES) --lean; \
		$(BIN)/python -m cocola_metric.training train-head $(BLEED_CONFIG) --set "$$@" $(BLEED_SETTINGS) --maps $(BLEED)/$$head \
			--out $(BLEED)/runs/$$head; \
		mkdir -p $(BLEED_HEADS)/$$head; cp -r $(BLEED)/runs/$$head/head/. $(BLEED_HEADS)/$$head/; }; \
		train clean sampling.bleed=0.0; train bled sampling.bleed=1.0 "sampling.bleed_db=[-12,-12]"; train bleed sampling.bleed=0.7

.PHONY: system
system:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! dpkg -s $(SYSTEM_PACKAGES) >/dev/null 2>&1; then \
		apt-get update -qq >/dev/null || echo "apt-get update failed" >&2; \
		install="apt-get install -y -qq --no-install-recommends"; \
		$$install $(SYSTEM_PACKAGES) >/dev/null 2>&1 || for package in $(SYSTEM_PACKAGES); do \
			$$install $$package >/dev/null 2>&1 || echo "no $$package: the tests that need it will be skipped" >&2; \
		done; \
	fi

$(VENV)/base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/test: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable '.[test]'
	$(PIP_INSTALL) --no-deps $(MSDM_PEER) || echo "no $(MSDM_PEER): MSDM will not be compared with it" >&2
	$(PIP_INSTALL) --no-deps $(COCOLA_PEER) || echo "no $(COCOLA_PEER): a recipe will not be compared with it" >&2
	touch $@ $(VENV)/base

# The public package that MSDM's authors used, without what it asks for: of that, importing it needs these two alone.
MSDM_PEER := audio-diffusion-pytorch==0.0.43 einops einops-exts
# The backbone of COCOLA's authors, from which small reference vectors were made.
COCOLA_PEER := efficientnet_pytorch==0.7.1

$(VENV)-fad/test: pyproject.toml constraints.txt
	test -x $(VENV)-fad/bin/python || $(PYTHON) -m venv $(VENV)-fad
	grep -E '^(torch|torchaudio|torchvision|timm)==' constraints.txt >$(VENV)-fad/torch.txt
	$(VENV)-fad/bin/python -m pip install --quiet --constraint $(VENV)-fad/torch.txt --editable '.[fad]' \
		pytest pytest-benchmark hypothesis mpmath librosa
	touch $@

$(VENV)-ray/test: pyproject.toml constraints.txt
	test -x $(VENV)-ray/bin/python || $(PYTHON) -m venv $(VENV)-ray
	$(VENV)-ray/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[scale,test]'
	touch $@

clean:  ## environments, builds and caches removed
	rm -rf $(VENV) $(VENV)-fad $(VENV)-ray build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

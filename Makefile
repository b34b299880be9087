# The list of commands. `make` alone prints it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## Install the system packages that tests and demo need (Debian, apt-get)
	@scripts/install-deps.sh

.PHONY: test
test: deps ## Run every test: workspace, bare-metal core, budgets in release
	@CARGO="$(CARGO)" scripts/test.sh
	tests/bare-metal/check.sh
	$(CARGO) test --release --locked --test budget

.PHONY: test-tiny
test-tiny: deps ## Run the tests of what is left without TLS (the feature `tiny`)
	$(CARGO) test --locked --package picket --no-default-features --features tiny --lib --test cli --test publish_mqtt --test config_sample

# What OpenWrt's rust-package.mk sets, whatever our profile says: size above all, panics that unwind, overflows that panic. The profile for
# tests has the last two anyway, and dependencies keep their own level, so that only our own crate is compiled again.
.PHONY: test-openwrt
test-openwrt: deps ## Run the main tests under the settings that OpenWrt builds with
	CARGO_PROFILE_DEV_OPT_LEVEL=z $(CARGO) test --locked --package picket $(OPENWRT_TESTS)

# Those that run the whole way from a frame to an alert, a store and a broker.
OPENWRT_TESTS ?= --lib --test cli --test engine_attacks --test engine_streams --test engine_models --test ground_truth \
	--test peer_bugs --test properties --test publish_mqtt --test sandbox --test daemon_health

.PHONY: demo
demo: deps ## Watch real attacks on a real broker being reported over MQTT
	@scripts/demo.sh

.PHONY: lint
lint: deps ## Check format, clippy, shell scripts and, where installed, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@scripts/lint-shell.sh
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --locked check; \
	else echo "cargo-deny is not installed: dependencies are not checked"; fi

.PHONY: cross
cross: ## Build dist/TARGET/picket for another processor, without docker: make cross TARGET=aarch64-unknown-linux-gnu
	@cross/build.sh $(or $(TARGET),aarch64-unknown-linux-gnu)

.PHONY: cross-gate
cross-gate: deps ## Compare dist/TARGET/picket under emulation with the program of this machine
	@cross/gate.sh $(or $(TARGET),aarch64-unknown-linux-gnu)

.PHONY: cross-all
cross-all: deps ## Build and compare every target of tier A (TIER=B: of tier B too), and print a table
	@cross/all.sh

.PHONY: packages
packages: ## Make .deb, .ipk and .apk of every program in dist/TARGET/picket, in dist/
	@scripts/install-deps.sh --packages
	@scripts/packages.sh

.PHONY: packages-test
packages-test: ## Check the packages' writers, the packages in dist/, the LuCI app, and an installation in a fresh Debian (root)
	@scripts/install-deps.sh --packages
	@packaging/tests/run.sh

.PHONY: release
release: ## Make everything of a release: make release VERSION=0.2.0 (see docs/release.md)
	@scripts/install-deps.sh --packages
	@scripts/release.sh $(VERSION)

.PHONY: size
size: ## Print what the programs in dist/ consist of; fails where one is over its budget
	@cross/size-report

.PHONY: bench
bench: deps ## Run the benchmarks
	$(CARGO) bench --locked

.PHONY: corpus
corpus: ## Make labelled traffic in lab-data/corpus (root; 20 minutes, with QUICK=1 five)
	@scripts/install-deps.sh --lab
	@scripts/corpus.sh $(if $(QUICK),--quick)

.PHONY: model
model: ## Train models/default.onnx again; STEPS="rows train compare test" after a change of the schema (see models/README.md)
	@scripts/install-deps.sh --model
	models/train/make_model.sh $(STEPS)

.PHONY: fuzz
fuzz: ## Fuzz: make fuzz TARGET=config_toml SECONDS=60 (needs nightly and cargo-fuzz)
	@scripts/fuzz.sh $(or $(TARGET),config_toml) $(FUZZ_SECONDS)

.PHONY: fuzz-all
fuzz-all: ## Fuzz every target of the core for so many SECONDS each
	@scripts/fuzz.sh all $(FUZZ_SECONDS)

# bash gives every recipe a SECONDS of its own, and make may inherit one: only the command line counts.
FUZZ_SECONDS := $(if $(filter command line,$(origin SECONDS)),$(SECONDS),60)

.PHONY: clean
clean: ## Remove everything that was built or recorded here
	$(CARGO) clean
	rm -rf demo-data lab-data fuzz/target fuzz/artifacts

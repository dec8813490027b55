# acb. Run `make` to see what there is.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD    = $(GO) build -ldflags "-s -w -X main.version=$(VERSION)"
TOOL     = $(GO) tool -modfile=internal/tools/go.mod
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME ?= 10s

# SQLite is C translated to Go: its memory lies outside of Go's heap, where the race detector does not look, and its
# locks are Go's, which tell the detector by themselves. Watched, the tests take three times as long and show no race
# more. The driver above it (modernc.org/sqlite) is watched like all the rest.
UNWATCHED   = modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory
RACEGCFLAGS = $(foreach p,$(UNWATCHED),-gcflags=$(p)=-race=false)

# One set of flags for every target, so that all share the build cache.
export CGO_ENABLED = 0
export GOFLAGS    := $(GOFLAGS) -trimpath

.DEFAULT_GOAL := help
.PHONY: help build demo test race lint fuzz bench soak live live-peer cross

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/acb for this machine
	$(BUILD) -o bin/ ./cmd/acb

demo: build ## back a real tree up, without an account: make demo [DIR=...]
	bin/acb demo $(DIR)

test: ## every test, offline
	$(GO) test -timeout 30m ./...

race: ## the same with the race detector, without the long tables of faults: the random ones run the same code
	CGO_ENABLED=1 $(GO) test -timeout 30m -race $(RACEGCFLAGS) -short -skip 'TestEveryRequest|TestMishapsInARow|TestRunFaults|TestOracleGoTree|TestDiskFull|TestKilled' ./...

lint: ## gofmt, vet for three systems, staticcheck
	@fmt=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$fmt" ] || { echo "not gofmt'ed: $$fmt"; exit 1; }
	@for os in linux darwin windows; do echo "vet for $$os"; GOOS=$$os $(GO) vet ./... || exit 1; done
	$(TOOL) staticcheck ./...

fuzz: ## each fuzz target for FUZZTIME (10s), side by side on all processors
	@.ci/fuzz $(FUZZTIME)

bench: build ## the numbers of README, as ratios measured in this run: make bench [BENCH="-parts requests,hash"]
	$(GO) run ./internal/bench $(BENCH)

soak: ## the random tests with many more seeds: make soak [SEEDS=1000]
	ACB_SEEDS=$(or $(SEEDS),1000) $(GO) test -timeout 0 -run 'Random|Model|Oracle|Mishaps|PowerCut|Account|EveryRequest|EveryWrite|RunFaults|Scripts/kill' -v ./internal/backup ./cmd/acb ./scan ./remote

live: ## the contract tests against real Drive: ACB_LIVE_CREDENTIALS=... ACB_LIVE_TOKEN=... make live
	$(GO) test -run Live -v ./remote/...

live-peer: ## bring a backup down with rclone and compare: RCLONE=$$(command -v rclone) make live-peer
	$(GO) test -count=1 -run LivePeer -v ./internal/bench

cross: ## build for every platform
	@for p in $(PLATFORMS); do \
	  echo $$p; GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -o bin/$${p%/*}-$${p#*/}/ ./cmd/acb || exit 1; \
	done

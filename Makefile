# Everything here is one line of go, but for what fetches the tools of the tests.

GOFUMPT     = go run mvdan.cc/gofumpt@v0.12.0
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
NODE        = npx -y --prefer-offline -p node@20.19.5 node
TSC         = npx -y --prefer-offline -p typescript@7.0.2 tsc
BIOME       = npx -y --prefer-offline @biomejs/biome@2.6.8
TARGETS     = linux/arm/6 linux/arm/7 linux/arm64 linux/amd64
FUZZTIME    = 10s

# go run TOOL@VERSION asks the proxy for what is in the cache as well, unless the
# cache comes first.
export GOPROXY := file://$(shell go env GOMODCACHE)/cache/download,$(shell go env GOPROXY)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 12

setup: ## install what the tests need and is missing (Debian; asks for nothing)
	@./.ci/setup
	@./.ci/fetch "$(GOFUMPT) -version" "$(STATICCHECK) -version" "$(NODE) --version" "$(TSC) --version" "$(BIOME) --version"

test: ## every test, with the race detector, real brokers and a real browser
	@bash .ci/test

test-vm: setup ## webcams on real kernels in virtual machines; 3 minutes; downloads 200 MB once, keeps 54
	go test -tags vm -count=1 -timeout 25m ./node/camera/vmtest

check: ## modules, vet, staticcheck, gofumpt, types and form of the page
	go mod verify
	go vet ./...
	go vet -tags "vm vmguest" ./node/camera/...
	$(STATICCHECK) ./...
	$(STATICCHECK) -tags "vm vmguest" ./node/camera/vmtest/...
	@test -z "$$($(GOFUMPT) -l .)" || { $(GOFUMPT) -d .; echo "Try: make fmt"; exit 1; }
	$(TSC) -p dashboard/web/jsconfig.json
	cd dashboard/web && $(BIOME) check

fmt: ## gofumpt and biome
	$(GOFUMPT) -w .
	cd dashboard/web && $(BIOME) check --write

cross: ## static binaries for every kind of Pi and for PCs, in dist/
	@mkdir -p dist
	@for t in $(TARGETS); do \
		arch=$$(echo $$t | cut -d/ -f2); arm=$$(echo $$t | cut -d/ -f3 -s); \
		out=dist/camqtt-linux-$$arch$${arm:+v$$arm}; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOARM=$$arm go build -trimpath -ldflags "-s -w" -o $$out . || exit 1; \
		ls -l $$out | awk '{printf "%-28s %.1f MB\n", $$NF, $$5/1e6}'; \
	done

fuzz: ## each fuzz target for FUZZTIME
	@./.ci/fuzz $(FUZZTIME)

bench: setup ## every figure of docs/figures.md, beside mosquitto and the floor; about 15 minutes
	go test -run '^$$' -bench 'Scan|Walk|Splitter$$|Damage' ./internal/jpeg
	go test -run '^$$' -bench 'Snap|Page|Node|Bridge|DemoStart|Reconnect' -benchtime 1x -timeout 30m ./internal/e2e
	go test -run '^$$' -bench 'Delay' -benchtime 500x ./node/camera/kinds
	go test -run '^$$' -bench Delay -benchtime 200x ./node/camera/push
	go test -run '^$$' -bench . ./internal/access
	go test -run '^$$' -bench . -benchtime 1000x ./broker/internal/messagestore
	go test -run '^$$' -bench TLS -benchtime 1000x ./internal/e2e
	go test -run '^$$' -bench HTTPDelay -benchtime 60x ./node/camera/httpcam
	go test -run '^$$' -bench 'Fanout|Cameras' -benchtime 1x -timeout 30m ./broker
	go test -run '^$$' -bench 'Stalled|Slow|Flood|Connects|Visits|Idle$$' -benchtime 1x -timeout 30m ./broker -args -stall 60s

bench-vm: setup ## instructions per picture on the processors of Raspberry Pis; the same on every machine
	go test -tags vm -run '^$$' -bench Instructions -benchtime 1x ./node/camera/vmtest

.PHONY: help setup test test-vm check fmt cross fuzz bench bench-vm

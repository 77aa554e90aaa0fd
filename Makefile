# make build   bin/mageprov with the workers for managed nodes inside
# make worker  those workers alone; prints their size on the wire
# make test    all tests that need no lab, under the race detector
# make check   what must hold before a commit: format, vet, tests
# make demo    the main job on three lab hosts (root)
# make lab-test  modules and failures on lab hosts (root)
# make conformance  every case on twin hosts, beside ansible-core (root)
# make bench   ratios against ansible-core (root)

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
EMBED   := internal/remote/embed
ARCHES  := amd64 arm64
GOFILES := cmd internal docs lab bench conformance content.go

export CGO_ENABLED := 0

.PHONY: build worker test check fmt clean

build: worker
	go build -trimpath -ldflags "-s -w -X main.version=$(VERSION) -X mageprov/internal/remote.built=make" -o bin/mageprov ./cmd/mageprov

# A worker travels to every node, so it is built for size: without HTTP/2, which
# nothing here speaks, without inlining, which costs a fifth more bytes, and without
# what modules do on the controller.
WORKER := -trimpath -tags worker,nethttpomithttp2 -gcflags=all=-l -ldflags "-s -w -buildid="

# The name carries the SHA-256 of the program: it is the build id, and the name
# under which nodes keep it.
worker:
	@mkdir -p bin
	@for arch in $(ARCHES); do \
		GOOS=linux GOARCH=$$arch go build $(WORKER) -o bin/worker-$$arch ./cmd/mageprov-worker || exit 1; \
		sum=$$(sha256sum bin/worker-$$arch | cut -d' ' -f1); \
		zst=$(EMBED)/worker-linux-$$arch-$$sum.zst; \
		if [ ! -f $$zst ]; then \
			rm -f $(EMBED)/worker-linux-$$arch-*; \
			zstd -q --ultra -22 -c bin/worker-$$arch >bin/worker.zst && mv bin/worker.zst $$zst || exit 1; \
		fi; \
		echo "worker linux/$$arch: $$(wc -c <$$zst) bytes on the wire, $$(wc -c <bin/worker-$$arch) on the node"; \
	done

test:
	CGO_ENABLED=1 go test -race -timeout 25m ./...

check: test
	@test -z "$$(gofmt -l $(GOFILES))" || { echo "not gofmt-clean:"; gofmt -l $(GOFILES); exit 1; }
	go vet ./...
	go vet -tags lab,bench,conformance ./lab ./bench ./conformance

fmt:
	gofmt -w $(GOFILES)

clean:
	rm -rf bin dist $(EMBED)/worker-*

.PHONY: demo lab-test conformance bench

# Three lab hosts from nothing to a converged state, and proof that a second run
# changes nothing. Needs root.
demo: build
	lab/demo

# The same hosts, every module that needs a real machine, and what goes wrong on
# them. Needs root, and takes the lab for itself.
lab-test: build
	go test -tags lab -ldflags "-X mageprov/internal/remote.built=make" ./lab -count=1 -timeout 20m

# The same playbooks with ansible-core and with mageprov on twin hosts, and all
# that they leave behind compared (docs/conformance.md). Needs root and Debian's
# ansible for what is asked anew. CASES="files/* vars/lazy" chooses, ORACLE=live
# asks ansible-core for all cases, with PART=day for an eighth of them.
conformance: build
	cd conformance && go test -tags conformance -count=1 -timeout 60m .

# Ratios against ansible-core over the same sshd; needs ansible-core, sshd, root.
# BENCH="1 host" runs only what has that in its name.
bench:
	CGO_ENABLED=0 go test -tags bench ./bench -run TestCompare -count 1 -timeout 60m -v

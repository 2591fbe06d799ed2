# A short front for Meson. `make` builds the release in build/, `make test` runs every test under
# the sanitizers in build-debug/.
.PHONY: all test unit e2e postgresql web mcp webhook simulation bench fuzz oracle fmt lint clean

all: build/build.ninja
	ninja -C build

build/build.ninja:
	meson setup build --buildtype=release -Dtests=disabled

# Lines in traces, and not all types: half the time to build.
DEBUG = -Doptimization=1 -Dc_args=-g1

build-debug/build.ninja:
	meson setup build-debug $(DEBUG) -Db_sanitize=address,undefined -Db_lundef=false

build-clang/build.ninja:
	CC=clang meson setup build-clang -Dtests=disabled

unit: build-debug/build.ninja
	ninja -C build-debug
	tools/unit-tests build-debug

# What many threads share, under ThreadSanitizer: only what that test needs is built.
build-tsan/build.ninja:
	meson setup build-tsan $(DEBUG) -Db_sanitize=thread -Db_lundef=false

tsan: build-tsan/build.ninja
	ninja -C build-tsan tests/test_jsonata_threads
	TSAN_OPTIONS=halt_on_error=1 build-tsan/tests/test_jsonata_threads

e2e: all
	tests/e2e/run

# Some of them on PostgreSQL (needs Debian's postgresql); tests/e2e/run --postgresql runs all.
postgresql: all
	tests/e2e/run --postgresql test_main_job test_sync test_nodes test_nodes_work test_postgresql_stop test_postgresql test_erasure \
		test_retention test_backup.Backup.test_restored test_analysis.Analysis.test_queries_of_the_page \
		test_analysis.Analysis.test_a_reader_reads_views_and_names_and_nothing_else

# The link page and its SDK in a real browser (needs Chromium and Node).
web: all
	tests/web/run

# Clients and suites of the Model Context Protocol (needs npm): make mcp KINDS=clients
mcp: all
	tests/mcp/run $(KINDS)

# Seeds of a world that is made up: make simulation SEEDS=10000
simulation: all
	tests/simulation/run $(if $(SEEDS),--seeds $(SEEDS))

# Signatures of webhooks, held against the npm packages standardwebhooks and svix (needs npm).
webhook: all
	tests/webhook/run

test: lint unit tsan e2e postgresql web mcp webhook simulation

bench: all
	bench/run all

# The fuzz targets with libFuzzer, a minute each: make fuzz SECONDS=600
SECONDS_EACH = $(or $(SECONDS),60)
fuzz:
	tools/fuzz $(SECONDS_EACH)

# JSONata held against the npm package: make oracle COUNT=100000 SEED=7 FAMILIES="operators syntax"
oracle: all tests/oracle/node_modules
	tests/oracle/run --count $(or $(COUNT),20000) --seed $(or $(SEED),1) $(FAMILIES)

tests/oracle/node_modules: tests/oracle/package.json
	cd tests/oracle && npm install --no-package-lock --no-audit --no-fund --silent

fmt:
	find src tests fuzz bench -name '*.[ch]' | xargs clang-format -i

# clang must find nothing either, so it builds everything too.
lint: build-clang/build.ninja
	tools/check-layers
	tools/check-size
	tools/check-headers
	shellcheck run .ci/run tools/package tools/check-reproducible tools/try-package packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm tools/check-headers tools/unit-tests tools/run-tests tools/fuzz tests/e2e/run tests/web/run tests/mcp/run tests/webhook/run tests/simulation/run
	ninja -C build-clang

clean:
	rm -rf build build-package build-debug build-clang build-fuzz build-tsan

# Every check of this repository is a recipe here, and `.ci/run` calls the same recipes. `just`
# alone lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

# How many seconds each fuzz target runs in `fuzz-smoke`.
fuzz_seconds := "10"

_list:
    @just --list --unsorted

# Checks the formatting without changing anything (`cargo fmt --all` formats)
fmt:
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check

# Lints every target, with and without the accelerators, and the tests for constant time
clippy:
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --all-targets --no-default-features --features authority,secp256r1 -- -D warnings
    cargo clippy --locked --all-targets --all-features -- -D warnings
    cargo clippy --locked --package constant_time -- -D warnings

# Builds the documentation; a broken link is an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --features hyper,tracing,key-log

# Runs all tests that need only Rust and its linker
test *args:
    cargo test --locked {{args}}

# `test` (level 1, dependencies at 3) and `test-release` (3) say nothing about other levels.
# `.ci/run` takes 0 and s, the two ends. After a change of a depth, of the compiler or of a
# dependency, run all six: just scrub-levels 0 1 2 s z 3
# Tests at several levels of optimization that calls with a secret leave nothing on the stack
scrub-levels *levels="0 s":
    # The level applies to everything that an application builds, but not to what only tests need,
    # because building that would take most of the time.
    for level in {{levels}}; do \
        echo "opt-level: $level"; \
        case $level in s | z) level="\"$level\"" ;; esac; \
        config=(--config profile.dev.debug=0 --config "profile.dev.package.'*'.opt-level=0" --config "profile.dev.opt-level=$level"); \
        for name in $(cargo tree --locked --edges normal --prefix none | cut -d ' ' -f 1 | sort -u | grep -v fleeting); do \
            config+=(--config "profile.dev.package.$name.opt-level=$level"); \
        done; \
        cargo test --locked --lib "${config[@]}" -- crypto::scrub --nocapture; \
    done

# Tests what two halves share under every interleaving of their threads (`test` runs it too)
loom:
    cargo test --locked --test halves

# Tests the async streams, their documentation's examples, and what their halves share
tokio:
    cargo test --locked --features tokio --test tokio --test halves
    cargo test --locked --features hyper --doc tokio

# Tests what operators see: counters, and with the feature `tracing` spans and events
observing:
    cargo test --locked --features tracing,tokio --test observing
    cargo test --locked --features tracing --lib -- testing:: connection::trace

# Tests the key log: the lines of RFC 8448's traces, what they decrypt, and the file
key-log:
    cargo test --locked --features key-log --test key_log
    cargo test --locked --features key-log --lib -- handshake::key_log handshake::traces testing::
    cargo test --locked --features key-log --doc key_log

# Like `test`, but optimized: overflow checks and debug assertions are off
test-release *args:
    cargo test --locked --release {{args}}

# Runs the full matrix of tests/pair/matrix.rs (`test` covers every pair of its dimensions)
matrix:
    cargo test --locked --release --test pair -- --ignored --nocapture matrix::the_full_product

# Runs all tests without the accelerators: the crate then contains no `unsafe`
no-default-features *args:
    cargo test --locked --no-default-features --features authority,secp256r1 {{args}}

# The library is linted by itself too: with `--all-targets`, the features that the tests want of its
# dependencies are on.
# Lints every combination of the features; runs the unit tests with none, and with `accelerate` alone
features:
    for features in "" accelerate authority secp256r1 tokio hyper tracing key-log accelerate,authority accelerate,secp256r1 authority,secp256r1; do \
        echo "features: $features"; \
        cargo clippy --locked --lib --no-default-features --features "$features" -- -D warnings; \
        cargo clippy --locked --all-targets --no-default-features --features "$features" -- -D warnings; \
    done
    cargo test --locked --no-default-features --lib --tests
    cargo test --locked --no-default-features --features accelerate --lib --tests

# Tests one width of the AES-GCM kernel: portable (without the kernel), aes-ni, avx2 or avx512
width name:
    FLEETING_AES_GCM={{name}} cargo test --locked --lib --tests

# Checks the floors of the source tree, where `unsafe` is allowed, and how long a file may be
layers:
    cargo test --locked --test layers

# Type-checks for WebAssembly: portable cryptography, and getrandom's `wasm_js` as in a browser
wasm:
    .ci/cross-check wasm32-unknown-unknown --features getrandom/wasm_js

# Type-checks for a 32-bit machine
i686:
    .ci/cross-check i686-unknown-linux-gnu

# Runs each fuzz target over its corpus and some seconds more (needs cargo-fuzz and nightly Rust)
fuzz-smoke:
    cargo +nightly fuzz build
    for target in $(cargo +nightly fuzz list); do \
        echo "fuzz: $target"; \
        found=$(mktemp -d); \
        cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- -max_total_time={{fuzz_seconds}} -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_funcs=0 -print_final_stats=1; \
        rm -r "$found"; \
    done

# Rewrites the seeds of the fuzz targets, if what is sent changed (review the diff of fuzz/corpus)
fuzz-seeds:
    RUSTFLAGS="--cfg fuzzing" cargo run --locked --manifest-path fuzz/Cargo.toml --example seeds

# Checks that the package contains every file that README.md links to by a relative path
package:
    files=$(cargo package --list --locked --allow-dirty); \
    for link in $(grep -oE '\]\([^):#]+\)|^\[[^]]+\]: [^:]+$' README.md | sed -E 's/^\]\(|\)$|^\[[^]]+\]: //g' | sort -u); do \
        grep -qxF "$link" <<< "$files" || { echo "the package lacks $link, which README.md links to"; exit 1; }; \
    done

# cargo-semver-checks takes minutes to build, so `.ci/run` leaves this out. Tests cannot see that a
# name of the API is gone, because they were changed with it.
# Compares the public API with that of a commit or tag (needs cargo-semver-checks)
semver rev:
    cargo semver-checks --baseline-rev {{rev}}

# Builds all examples and runs those that need no arguments
examples:
    cargo build --locked --release --examples --features tokio
    cargo run --locked --release --example quickstart
    cargo run --locked --release --example sans_io
    cargo run --locked --release --example poll_loop
    cargo run --locked --release --example resumption
    cargo run --locked --release --example raw_keys
    cargo run --locked --release --example early_data
    cargo run --locked --release --example psk
    cargo run --locked --release --example remote_signer
    cargo run --locked --release --features tokio --example async_echo

# Tests fleeting in applications, a package of its own: HTTP, gRPC, databases, brokers, the tunnel
apps:
    cargo clippy --locked --package apps --all-targets -- -D warnings
    cargo test --locked --package apps
    cargo run --locked --package apps --bin grpc

# Tests the applications against other people's programs (CONTRIBUTING.md says what to install)
apps-peers *args:
    cargo test --locked --package apps --tests {{args}} -- --ignored

# Tests against openssl, gnutls, go, node, curl and tshark (CONTRIBUTING.md says what to install)
peers *args:
    cargo test --locked --tests {{args}} -- --ignored --skip matrix::
    cargo test --locked --features key-log --test peers {{args}} -- --ignored key_log::

# The checks read the machine code of the AES-GCM kernel, run under valgrind, and measure time. The
# variable is graviola's: without it, graviola does not run under valgrind, which does not report
# all instructions of the CPU.
# Checks that time does not depend on a secret (x86-64 Linux)
constant-time:
    VALGRIND_BUG_494162=1 cargo run --locked --release --package constant_time -- disassemble
    VALGRIND_BUG_494162=1 CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-limit=no --suppressions=tests/constant_time/valgrind.supp" \
        cargo run --locked --release --package constant_time -- valgrind
    VALGRIND_BUG_494162=1 cargo run --locked --release --package constant_time -- timing

# Lints the comparison with rustls and OpenSSL, which is a package of its own
bench-peers-check:
    cargo clippy --locked --release --package peers --all-targets -- -D warnings

# Runs the comparison and prints Markdown tables (takes a few minutes)
bench-peers *args:
    cargo run --locked --release --package peers -- {{args}}

# BoringSSL is a program of its own. It takes minutes to build, so `.ci/run` leaves it out.
# Runs the comparison with BoringSSL too (needs CMake, a C++ compiler and libclang)
bench-boring *args:
    cargo build --locked --release --package peers-boring
    cargo run --locked --release --package peers -- --boring "${CARGO_TARGET_DIR:-target}/release/peers-boring" {{args}}

# Writes the tables of `bench-boring` into benches/peers/README.md (only on a quiet machine)
bench-readme *args: (bench-boring "--rounds 11 --intermediate --loopback 4096 --readme benches/peers/README.md" args)

# Draws throughput against record size into benches/peers/throughput.svg
bench-plot *args:
    cargo run --locked --release --package peers -- --plot benches/peers/throughput.svg {{args}}

# Runs everything, beginning with the installation of what it needs
ci:
    .ci/run

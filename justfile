# Every check of this repository is one recipe here; `.ci/run` calls the same ones. `just` alone
# lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Seconds that each fuzz target runs in `fuzz-smoke`.
fuzz_seconds := "10"

_list:
    @just --list --unsorted

# Formatting, without changing anything (`cargo fmt --all` changes it)
fmt:
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check

# Lints of every target of the library, with and without the accelerators, and of the tests for constant time
clippy:
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --all-targets --no-default-features -- -D warnings
    cargo clippy --locked --package constant_time -- -D warnings

# The documentation, with every broken link an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# All tests that need nothing but Rust and the C compiler it links with
test *args:
    cargo test --locked {{args}}

# That calls with a secret leave nothing on the stack, at levels of optimization of which `test` (1,
# dependencies at 3) and `test-release` (3) say nothing. `.ci/run` takes 0 and s, the two ends; all
# six after a change of a depth, of the compiler or of a dependency: just scrub-levels 0 1 2 s z 3
scrub-levels *levels="0 s":
    # All that an application builds is at the level in question; what tests alone need is not, or
    # building it would take most of the time.
    for level in {{levels}}; do \
        echo "opt-level: $level"; \
        case $level in s | z) level="\"$level\"" ;; esac; \
        config=(--config profile.dev.debug=0 --config "profile.dev.package.'*'.opt-level=0" --config "profile.dev.opt-level=$level"); \
        for name in $(cargo tree --locked --edges normal --prefix none | cut -d ' ' -f 1 | sort -u | grep -v fleeting); do \
            config+=(--config "profile.dev.package.$name.opt-level=$level"); \
        done; \
        cargo test --locked --lib "${config[@]}" -- crypto::scrub --nocapture; \
    done

# What two halves of a stream share, under every interleaving of their threads (`test` runs it too)
loom:
    cargo test --locked --test halves

# The same as `test`, optimized: overflow checks and debug assertions are off
test-release *args:
    cargo test --locked --release {{args}}

# The full product of the matrix in tests/pair/matrix.rs, of which `test` runs every pair of dimensions
matrix:
    cargo test --locked --release --test pair -- --ignored --nocapture matrix::the_full_product

# The same without the accelerators: the crate then contains no `unsafe`
no-default-features *args:
    cargo test --locked --no-default-features {{args}}

# The tests with one width of the AES-GCM kernel: portable (without it), aes-ni, avx2 or avx512
width name:
    FLEETING_AES_GCM={{name}} cargo test --locked --lib --tests

# The floors of the source tree, where `unsafe` may stand, how long a file may be
layers:
    cargo test --locked --test layers

# The always-there column of the cryptography for WebAssembly (a browser program turns getrandom's `wasm_js` on, as here)
wasm:
    .ci/cross-check wasm32-unknown-unknown --features getrandom/wasm_js

# The same for a 32-bit machine
i686:
    .ci/cross-check i686-unknown-linux-gnu

# Each fuzz target over its corpus and then on its own for some seconds (needs cargo-fuzz and a nightly toolchain)
fuzz-smoke:
    cargo +nightly fuzz build
    for target in $(cargo +nightly fuzz list); do \
        echo "fuzz: $target"; \
        found=$(mktemp -d); \
        cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- -max_total_time={{fuzz_seconds}} -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_funcs=0 -print_final_stats=1; \
        rm -r "$found"; \
    done

# Writes the fuzz targets' seeds anew (after a change of what is sent; review what changed in fuzz/corpus)
fuzz-seeds:
    RUSTFLAGS="--cfg fuzzing" cargo run --locked --manifest-path fuzz/Cargo.toml --example seeds

# That the package contains every file that README.md links to by a relative path
package:
    files=$(cargo package --list --locked --allow-dirty); \
    for link in $(grep -oE '\]\([^):#]+\)|^\[[^]]+\]: [^:]+$' README.md | sed -E 's/^\]\(|\)$|^\[[^]]+\]: //g' | sort -u); do \
        grep -qxF "$link" <<< "$files" || { echo "the package lacks $link, which README.md links to"; exit 1; }; \
    done

# All examples built, and those run that need no arguments
examples:
    cargo build --locked --release --examples
    cargo run --locked --release --example quickstart
    cargo run --locked --release --example sans_io
    cargo run --locked --release --example resumption
    cargo run --locked --release --example raw_keys
    cargo run --locked --release --example early_data
    cargo run --locked --release --example psk
    cargo run --locked --release --example remote_signer

# The tests against other people's programs: openssl, gnutls, go, node, curl (CONTRIBUTING.md says what to install)
peers *args:
    cargo test --locked --tests {{args}} -- --ignored --skip matrix::

# Does the time depend on a secret? By the machine code of the AES-GCM kernel, by valgrind, and by
# the clock (x86-64 Linux). The variable is graviola's: with it it runs under valgrind, which does
# not report all instructions of the CPU.
constant-time:
    VALGRIND_BUG_494162=1 cargo run --locked --release --package constant_time -- disassemble
    VALGRIND_BUG_494162=1 CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-limit=no --suppressions=tests/constant_time/valgrind.supp" \
        cargo run --locked --release --package constant_time -- valgrind
    VALGRIND_BUG_494162=1 cargo run --locked --release --package constant_time -- timing

# The comparison with rustls and OpenSSL is a package of its own: that it builds
bench-peers-check:
    cargo clippy --locked --release --package peers --all-targets -- -D warnings

# The comparison itself: prints Markdown tables (a few minutes)
bench-peers *args:
    cargo run --locked --release --package peers -- {{args}}

# The same with BoringSSL, a program of its own (needs CMake, a C++ compiler and libclang; built in some minutes, so `.ci/run` leaves it out)
bench-boring *args:
    cargo build --locked --release --package peers-boring
    cargo run --locked --release --package peers -- --boring "${CARGO_TARGET_DIR:-target}/release/peers-boring" {{args}}

# The same, for the record: writes the tables into benches/peers/README.md. Only on a quiet machine
bench-readme *args: (bench-boring "--rounds 11 --intermediate --loopback 4096 --readme benches/peers/README.md" args)

# Throughput against the size of a record, drawn into benches/peers/throughput.svg
bench-plot *args:
    cargo run --locked --release --package peers -- --plot benches/peers/throughput.svg {{args}}

# Everything, from installing what it needs to the last step
ci:
    .ci/run

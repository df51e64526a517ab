#!/usr/bin/env bash
# Runs the kernels' tests under Miri where a nightly toolchain has it (portable vectors, few small
# cases: about ten minutes), else under AddressSanitizer (all instruction sets of this machine).
#
# sanitize.sh [miri|address] [TEST...]: force one, and name the test programs to run (`lib`: unit tests).
set -eu
cd "$(dirname "$0")/.."

tool=""
case "${1:-}" in miri | address) tool=$1; shift ;; esac
if [ -z "$tool" ]; then
    if cargo +nightly miri --version >/dev/null 2>&1; then tool=miri; else tool=address; fi
fi

tests=()
for name in "$@"; do
    if [ "$name" = lib ]; then tests+=(--lib); else tests+=(--test "$name"); fi
done

if [ "$tool" = miri ]; then
    # Trees of borrows, for rayon's queues are not sound in the stacked model; its threads outlive
    # the tests, which is no leak of ours. Results of sines and roots are those Miri chooses.
    export LIMPID_ISA=portable
    export MIRIFLAGS="${MIRIFLAGS:-} -Zmiri-disable-isolation -Zmiri-ignore-leaks -Zmiri-tree-borrows -Zmiri-permissive-provenance"
    # the older test programs have cases too large for an interpreter; unit tests take five minutes more
    [ ${#tests[@]} -gt 0 ] || tests=(--test attention --test rows --test recurrent --test spectrum)
    exec cargo +nightly miri test -p limpid-kernels "${tests[@]}"
fi

[ ${#tests[@]} -gt 0 ] || tests=(--tests)
target=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
exec cargo test -p limpid-kernels "${tests[@]}" --target "$target"

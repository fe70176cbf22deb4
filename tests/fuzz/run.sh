#!/usr/bin/env bash
# Runs fuzzers one after the other: run.sh BUILD SECONDS [FUZZER or TARGET ...]; all fuzzers by default. What one has
# found worth keeping stays in BUILD/fuzz/NAME for the next time. Exit code 1: a finding, whose file is named.
set -euo pipefail
build=$1 seconds=$2
shift 2
program=$build/bin/consilium-fuzz
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <("$program" --fuzzers 2>/dev/null)
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1
failed=0
for target in "${targets[@]}"; do
  corpus=$build/fuzz/$target
  mkdir -p "$corpus"
  log=$build/fuzz/$target.log
  if CONSILIUM_FUZZ_TARGET=$target CONSILIUM_FUZZ_SEEDS=$corpus "$program" -max_total_time="$seconds" \
    -rss_limit_mb=2048 -timeout=10 -max_len=16384 -print_final_stats=1 \
    -artifact_prefix="$build/fuzz/$target-" "$corpus" >"$log" 2>&1; then
    echo "$target: nothing found in $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    failed=1
    echo "$target: FOUND; see $log and $(sed -n 's/.*written to //p' "$log" | tail -1)"
  fi
done
exit $failed

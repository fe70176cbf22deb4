#!/usr/bin/env bash
# Prints how many compilers to run at once: one a core, but only as many as fit into memory, because a file that
# includes torch/torch.h takes up to 1.5 GB.
set -euo pipefail
cores=$(nproc)
available_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
if [ "$limit" != max ] && [ $((limit / 1024)) -lt "$available_kb" ]; then available_kb=$((limit / 1024)); fi
fit=$((available_kb / 1572864))
jobs=$((fit < cores ? fit : cores))
echo $((jobs < 1 ? 1 : jobs))

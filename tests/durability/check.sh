#!/usr/bin/env bash
# An acknowledged submission is on the disk: with every fsync of the coordinator slowed down, the answer takes
# as long as the syncs that it has to wait for, and what was synced is the entry of the ledger.
#
# Usage: check.sh TENFOLD_BINARY
set -euo pipefail
binary="$1"
if ! command -v strace > /dev/null; then
  echo "skipped: strace is not installed"
  exit 0
fi
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap '{ kill -KILL "${coordinator:-}" || true; wait; } 2> /dev/null; rm -rf "$work"' EXIT
cp -r "$here/../../examples/airline" "$work/project"

# One second more for each fsync; -y names the files.
strace -D -f -y -o "$work/trace" -e trace=fsync -e inject=fsync:delay_exit=1000000 \
  "$binary" coordinator -p "$work/project" --listen 127.0.0.1:0 2> "$work/log" &
coordinator=$!
until grep -q 'epoch=' "$work/log"; do
  kill -0 "$coordinator" || { cat "$work/log"; exit 1; }
done
address="$(sed -n 's/.*address=\([^ ]*\).*/\1/p' "$work/log" | head -1)"
before="$(wc -l < "$work/trace")"
began="$(date +%s%N)"
"$binary" submit --address "$address" --as-of 2022-03-15 -o name > "$work/run"
took=$((($(date +%s%N) - began) / 1000000))
tail -n "+$((before + 1))" "$work/trace" > "$work/during"
# The body before its name, and then the directory.
for synced in 'ledger/[0-9]*\.json' 'ledger>'; do
  grep -q "fsync(.*$synced" "$work/during" || {
    echo "FAILED: no fsync of $synced:"
    cat "$work/during"
    exit 1
  }
done
[ "$took" -ge 2000 ] || { echo "FAILED: the answer came after $took ms, before two syncs were over"; exit 1; }
echo "passed: the answer came after $took ms, with two syncs of a second each before it"

#!/usr/bin/env bash
# A store and a source in a bucket, over the real S3 protocol: the same snapshot as in a directory, by
# one writer of several.
#
# Usage: check.sh TENFOLD_BINARY PYTHON
set -euo pipefail
binary="$1"
python="$2"
here="$(cd "$(dirname "$0")" && pwd)"
examples="$here/../../examples"
port="${TENFOLD_S3_PORT:-5599}"
work="$(mktemp -d)"

"$python" "$here/server.py" "$port" lake > "$work/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
# The server says when it is ready; it ends at once when the port is taken.
until grep -q '^ready' "$work/server.log"; do
  kill -0 "$server" || { cat "$work/server.log"; exit 1; }
done

export AWS_ENDPOINT="http://127.0.0.1:$port" AWS_ALLOW_HTTP=true AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
passed=0
holds() { # what, command...
  local what="$1"
  shift
  "$@" || { echo "FAILED: $what"; exit 1; }
  passed=$((passed + 1))
}
refresh() { # project, store, as_of
  "$binary" refresh -p "$1" --store "$2" --as-of "$3" --shards 2 -o json 2> "$work/stderr" ||
    { cat "$work/stderr" >&2; return 1; }
}
field() { # name; the record on standard input
  "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

local_hash="$(refresh "$examples/airline" "$work/store" 2022-03-15 | field snapshot_hash)"
bucket_hash="$(refresh "$examples/airline" s3://lake/a/prefix 2022-03-15 | field snapshot_hash)"
holds "a store in a bucket gives the same snapshot" test "$local_hash" = "$bucket_hash"
status="$(refresh "$examples/airline" s3://lake/a/prefix 2022-03-15 | field status)"
holds "nothing new publishes nothing" test "$status" = nothing_new
count="$("$binary" sql "SELECT COUNT(*) AS n FROM customer_value" --store s3://lake/a/prefix -o csv | tail -1)"
holds "a snapshot in a bucket answers queries" test "$count" = 3

# The events in the bucket as well.
cp -r "$examples/airline" "$work/project"
"$python" - "$examples/airline/activity.csv" <<'PYTHON'
import os
import sys

import boto3

client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT"])
client.upload_file(sys.argv[1], "lake", "events/day=1/activity.csv")
PYTHON
sed -i 's#path: .*activity.csv#path: s3://lake/events/\n    format: csv#' "$work/project/tenfold.yaml"
events_hash="$(refresh "$work/project" s3://lake/b 2022-03-15 | field snapshot_hash)"
holds "events in a bucket give the same snapshot" test "$local_hash" = "$events_hash"

# Four writers at once: one number, one snapshot.
for writer in 1 2 3 4; do
  (refresh "$examples/airline" s3://lake/race 2022-03-15 > "$work/race.$writer" 2> /dev/null || true) &
  writers+=($!)
done
wait "${writers[@]}"
numbers="$("$binary" snapshot ls --store s3://lake/race -o name | tr '\n' ' ')"
holds "racing writers publish one snapshot" test "$numbers" = "1 "
race_hash="$("$binary" snapshot get --store s3://lake/race -o json 2> /dev/null | field snapshot_hash)"
holds "and it is the right one" test "$local_hash" = "$race_hash"
echo "$passed passed, 0 failed"

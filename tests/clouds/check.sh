#!/usr/bin/env bash
# Stores in Azure (Azurite, the maker's own server for tests) and in Google Cloud Storage (a double of its XML
# API: there is no server of it to run): `doctor` passes, the snapshot is the same as in a directory, one of
# several writers publishes, and a coordinator with a worker refreshes the same.
#
# Usage: check.sh TENFOLD_BINARY [AZURITE_BLOB]
set -euo pipefail
binary="$1"
azurite="${2:-}"
here="$(cd "$(dirname "$0")" && pwd)"
airline="$here/../../examples/airline"
work="$(mktemp -d)"
running=()
stop() {
  for one in "${running[@]}"; do kill "$one" 2> /dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

passed=0
holds() { # what, command...
  local what="$1"
  shift
  "$@" || { echo "FAILED: $what"; exit 1; }
  passed=$((passed + 1))
}
refreshed() { # store
  "$binary" refresh -p "$airline" --store "$1" --as-of 2022-03-15 --shards 2 -o json 2> "$work/stderr" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["snapshot_hash"])' ||
    { cat "$work/stderr" >&2; return 1; }
}
published() { # store
  "$binary" snapshot get --store "$1" -o json 2> /dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["snapshot_hash"])'
}
expected="$(refreshed "$work/local")"

check() { # what, root of the store
  local what="$1" root="$2" writers=() port
  "$binary" doctor --store "$root/doctor" > "$work/doctor" 2>&1 || { cat "$work/doctor"; exit 1; }
  holds "$what: doctor finds what Tenfold relies on" grep -q "one each time" "$work/doctor"
  holds "$what: the same snapshot" test "$(refreshed "$root/a/prefix")" = "$expected"
  for _ in 1 2 3 4; do
    (refreshed "$root/race" > /dev/null 2>&1 || true) &
    writers+=($!)
  done
  wait "${writers[@]}"
  holds "$what: racing writers publish one snapshot" \
    test "$("$binary" snapshot ls --store "$root/race" -o name | tr '\n' ' ')" = "1 "
  holds "$what: and it is the right one" test "$(published "$root/race")" = "$expected"

  port="$(free_port)"
  export TENFOLD_ADDR="http://127.0.0.1:$port"
  "$binary" coordinator -p "$airline" --store "$root/served" --listen "127.0.0.1:$port" --shards 2 \
    > "$work/coordinator" 2>&1 &
  local coordinator=$!
  "$binary" worker -p "$airline" --store "$root/served" --name one > "$work/worker" 2>&1 &
  local worker=$!
  running+=("$coordinator" "$worker")
  until "$binary" cluster status > /dev/null 2>&1; do
    kill -0 "$coordinator" || { cat "$work/coordinator"; exit 1; }
  done
  "$binary" submit --as-of 2022-03-15 --wait > "$work/submitted" 2>&1 || { cat "$work/submitted"; exit 1; }
  holds "$what: coordinator and worker publish the same" test "$(published "$root/served")" = "$expected"
  kill "$coordinator" "$worker"
  wait "$coordinator" "$worker" || true
  unset TENFOLD_ADDR
}

port="$(free_port)"
python3 "$here/gcs.py" "$port" lake > "$work/gcs.log" 2>&1 &
running+=($!)
until grep -q '^ready' "$work/gcs.log"; do
  kill -0 "${running[-1]}" || { cat "$work/gcs.log"; exit 1; }
done
cat > "$work/gcs.json" << JSON
{"gcs_base_url": "http://127.0.0.1:$port", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}
JSON
export GOOGLE_SERVICE_ACCOUNT="$work/gcs.json" GOOGLE_ALLOW_HTTP=true
check "Google Cloud Storage" gs://lake

if [ -n "$azurite" ]; then
  port="$(free_port)"
  "$azurite" --inMemoryPersistence --silent --skipApiVersionCheck --blobPort "$port" > "$work/azurite.log" 2>&1 &
  running+=($!)
  python3 "$here/container.py" "$port" lake || { cat "$work/azurite.log"; exit 1; }
  export AZURE_STORAGE_USE_EMULATOR=true AZURE_ALLOW_HTTP=true AZURE_STORAGE_ACCOUNT_NAME=devstoreaccount1
  export AZURITE_BLOB_STORAGE_URL="http://127.0.0.1:$port"
  check "Azure" az://lake
else
  echo "skipped: Azure, since npm is absent and Azurite cannot be installed"
fi
echo "$passed passed, 0 failed"

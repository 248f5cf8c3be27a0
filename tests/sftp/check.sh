#!/usr/bin/env bash
# Deliveries of files to a real server of OpenSSH: they appear whole, with a manifest and a marker; a server
# with another key, and a key that it does not know, are refused; a delivery that was stopped goes on.
#
# Usage: check.sh TENFOLD_BINARY. Says so and does nothing where there is no sshd.
set -euo pipefail
binary="$1"
here="$(cd "$(dirname "$0")" && pwd)"
sshd="$(command -v sshd || ls /usr/sbin/sshd 2> /dev/null || true)"
if [ -z "$sshd" ] || ! command -v sftp > /dev/null; then
  echo "skipped: there is no OpenSSH here"
  exit 0
fi
work="$(mktemp -d)"
server=""
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || true; rm -rf "$work"' EXIT
chmod 755 "$work"

ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/other_host"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
ssh-keygen -q -t ed25519 -N '' -f "$work/other_key"
cp "$work/key.pub" "$work/authorized"
chmod 600 "$work/authorized"
mkdir -p "$work/inbox"
# Running as root it wants this folder; it is made by the package's own start script otherwise.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd

begin() { # port, options of the program for files
  cat > "$work/sshd_config" << CONFIG
Port $1
ListenAddress 127.0.0.1
HostKey $work/host
AuthorizedKeysFile $work/authorized
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp ${2:-}
CONFIG
  : > "$work/sshd.log"
  "$sshd" -D -e -f "$work/sshd_config" 2> "$work/sshd.log" &
  server=$!
  # It says when it listens, and ends when the port is taken.
  until grep -q "Server listening" "$work/sshd.log"; do
    kill -0 "$server" 2> /dev/null || return 1
  done
}
port="${TENFOLD_SFTP_PORT:-}"
if [ -n "$port" ]; then
  begin "$port"
else
  for port in 20622 21622 22622 23622 24622; do
    begin "$port" && break
  done
fi
kill -0 "$server" || { cat "$work/sshd.log"; exit 1; }

passed=0
holds() { # what, command...
  local what="$1"
  shift
  "$@" || { echo "FAILED: $what"; cat "$work/stderr" "$work/sshd.log" 2> /dev/null; exit 1; }
  passed=$((passed + 1))
}
cp -r "$here/../../examples/airline" "$work/project"
rm -rf "$work/project/store"
project="$work/project"
"$binary" refresh -p "$project" --as-of 2022-03-15 --shards 2 > /dev/null 2> "$work/stderr"
mkdir -p "$project/destinations" "$project/deliveries"

destination() { # key of the host, key of the user
  cat > "$project/destinations/drop.yaml" << YAML
destination: drop
to:
  sftp:
    host: 127.0.0.1
    port: $port
    user: $(id -un)
    login: {key: {file: $work/$2}}
    host_key: $(cut -d' ' -f1,2 < "$work/$1.pub")
    path: $work/inbox
    file: {name: "night/{delivery}_{number}", compression: gzip, rows: 2}
YAML
}
cat > "$project/deliveries/everybody.yaml" << YAML
delivery: everybody
destination: drop
from: {table: customer_value}
mode: file_full
fields: [events]
YAML
deliver() { # verb
  "$binary" delivery "$1" everybody -p "$project" -o json > "$work/stdout" 2> "$work/stderr"
}
refused() { # words, verb
  ! deliver "$2" && grep -q "$1" "$work/stderr" && grep -q 'error\[E5108\]' "$work/stderr"
}

destination host key
holds "a server can be tried" "$binary" destination test drop -p "$project"
destination other_host key
holds "a server with another key is refused" refused "Host key verification failed" run
destination host other_key
holds "a key that the server does not know is refused" refused "Permission denied" resume
holds "and nothing was written" test -z "$(ls "$work/inbox")"

destination host key
holds "a delivery that was stopped goes on" deliver resume
holds "nothing is left half written" test -z "$(find "$work/inbox" -name '*.part')"
holds "the marker is there" test -e "$work/inbox/night/everybody_1._SUCCESS"
manifest="$work/inbox/night/everybody_1.manifest.json"
rows="$("$binary" sql "SELECT COUNT(*) AS n FROM customer_value" -p "$project" -o csv 2> /dev/null | tail -1)"
holds "the manifest counts everybody" grep -q "\"rows\": $rows,\$" "$manifest"
files=("$work/inbox/night/everybody_1"*.csv.gz)
holds "files are split" test "${#files[@]}" = "$(((rows + 1) / 2))"
held=0
for file in "${files[@]}"; do
  sum="$(sha256sum "$file" | cut -d' ' -f1)"
  holds "the manifest has the hash of $(basename "$file")" grep -q "$sum" "$manifest"
  held=$((held + $(zcat "$file" | tail -n +2 | wc -l)))
done
holds "the files hold everybody" test "$held" = "$rows"
before="$(cat "${files[@]}" | sha256sum)"
holds "the next night is another number" deliver run
holds "and leaves the first alone" test "$before" = "$(cat "${files[@]}" | sha256sum)"
holds "its marker is there" test -e "$work/inbox/night/everybody_2._SUCCESS"

kill "$server"
wait "$server" 2> /dev/null || true
holds "a server that replaces no files begins" begin "$port" "-P posix-rename"
echo "of an earlier try" > "$work/inbox/night/everybody_3_2.csv.gz"
holds "what an earlier try left there is replaced there too" deliver run
holds "its files are whole" gzip -t "$work/inbox/night/everybody_3_2.csv.gz"
holds "and nothing is left half written" test -z "$(find "$work/inbox" -name '*.part')"
echo "$passed checks passed"

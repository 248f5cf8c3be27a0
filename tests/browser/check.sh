#!/usr/bin/env bash
# The dashboards in a real browser: every page without errors, outside requests and serious findings of axe, and
# numbers that equal those of SQL.
#
# Usage: check.sh TENFOLD_BINARY [TEST_FILE...]. Says so and does nothing where there is no Chromium or no Node.
# TENFOLD_SCREENSHOTS=FOLDER puts pictures of the pages there.
set -euo pipefail
TENFOLD_BIN="$(realpath "$1")"
shift
export TENFOLD_BIN
export CHROMIUM="${CHROMIUM:-$(command -v chromium || true)}"
here="$(cd "$(dirname "$0")" && pwd)"
if [ -z "$CHROMIUM" ] || ! command -v npm > /dev/null; then
  echo "skipped: there is no Chromium or no Node here"
  exit 0
fi
[ -z "${TENFOLD_SCREENSHOTS:-}" ] || TENFOLD_SCREENSHOTS="$(realpath "$TENFOLD_SCREENSHOTS")"
cd "$here"
[ -d node_modules/playwright-core ] || npm ci --silent
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
node fixture.mjs "$TENFOLD_BIN" "$work/project"
export TENFOLD_FIXTURE="$work/project"
if [ $# -gt 0 ]; then
  node --test --test-concurrency=1 "$@"
else
  node --test --test-concurrency=1
fi

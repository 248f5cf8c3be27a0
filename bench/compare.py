#!/usr/bin/env python3
"""Tenfold beside DuckDB, Polars, DataFusion and, where it is asked for, Spark on the same purchases, in turns.

The peers compute recency, frequency, value, six look-back sums and six NTILE(10) of them, and write one Parquet
file. Tenfold computes these, and fits and applies a CLV model, ranks by it, and publishes a snapshot. Every round
runs all programs once, one after the other; figures are medians. Deciles are compared row by row.

    python3 bench/compare.py target/release/tenfold [--customers 2000000] [--rounds 5] [--text-keys | --event-ids] [--peers duckdb,polars]
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import venv
from datetime import date, timedelta

import measure

HERE = pathlib.Path(__file__).resolve().parent
FIRST = date(2024, 1, 2)
DAYS = 730
LOOKBACKS = ("1m", "3m", "6m", "9m", "12m", "lifetime")
DECLARATIONS = """\
project: bench
time_zone: UTC
customer: {{type: {key}}}
sources:
  purchases:
    path: {purchases}
    format: parquet
    customer: customer_id
    time: ts
{event_id}    measures:
      revenue: {{column: amount, currency: EUR}}
clv: {{source: purchases, value: revenue, models: [pareto_nbd]}}
deciles:
  - measure: revenue
    inactive: zero
    lookbacks: [1, 3, 6, 9, 12, lifetime]
"""


def cache():
    return pathlib.Path(os.environ.get("TENFOLD_BENCH_DIR", pathlib.Path.home() / ".cache/tenfold/bench"))


def interpreter(name="peers", requirements="requirements.txt"):
    """A Python with the peers in it, made once."""
    place = cache() / name
    python = place / "bin/python"
    wanted = (HERE / requirements).read_text()
    mark = place / "installed.txt"
    if not mark.exists() or mark.read_text() != wanted:
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / requirements], check=True)
        mark.write_text(wanted)
    return python


def generated(python, customers, text_keys):
    """The folder of 731 days of purchases: the last day is that of the night."""
    place = cache() / f"{customers}{'-text' if text_keys else ''}"
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        keys = ["--text-keys"] if text_keys else []
        days = ["--days", DAYS + 1]
        subprocess.run(
            [str(part) for part in [python, HERE / "generate.py", place, "--customers", customers, *days, *keys]],
            check=True,
        )
        (place / "done").touch()
    return place


class Tenfold:
    """Refreshes in a fresh store each round, then one night more. Stores of earlier rounds stay where they are: ext4 walks
    through what was deleted in the last minutes at each new file, which the next round would pay for."""

    def __init__(self, name, binary, options, event_id=False, text_keys=False):
        self.name = name
        self.command = [binary, "refresh", *options, "-o", "json", "-q"]
        self.event_id = "    event_id: event_id\n" if event_id else ""
        self.key = "string" if text_keys else "int64"
        self.rounds = 0

    def project(self, work, purchases):
        self.rounds += 1
        self.place = work / f"project{self.rounds}"
        self.place.mkdir(parents=True)
        text = DECLARATIONS.format(purchases=f"{purchases}/", event_id=self.event_id, key=self.key)
        (self.place / "tenfold.yaml").write_text(text)
        return self.place

    def full(self, work, purchases, as_of):
        return measure.run([*self.command, "-p", self.project(work, purchases), "--as-of", as_of])

    def night(self, as_of):
        return measure.run([*self.command, "-p", self.place, "--as-of", as_of])


class Peer:
    """Computes everything again each time."""

    def __init__(self, name, python, memory=0):
        self.name, self.python, self.memory = name, python, memory

    def full(self, work, purchases, as_of):
        out = work / f"{self.name}.parquet"
        out.unlink(missing_ok=True)
        program = HERE / f"peers/with_{self.name}.py"
        return measure.run([self.python, program, purchases, as_of, out, self.memory])


def linked(work, purchases, days):
    """A folder with the first days alone."""
    place = work / "purchases"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for day in range(days):
        link(purchases, place, day)
    return place


def link(purchases, place, day):
    name = f"{FIRST + timedelta(days=day)}.parquet"
    os.link(purchases / name, place / name)


DIFFERENT = """
import sys, duckdb
ours, theirs, names = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
unlike = " OR ".join(
    f"o.decile_revenue_{n} IS DISTINCT FROM t.decile_revenue_{n}" for n in names)
print(duckdb.sql(f'''SELECT count(*) FILTER (WHERE {unlike} OR o.customer IS NULL OR t.customer_id IS NULL), count(*)
    FROM read_parquet({ours}) o FULL JOIN read_parquet('{theirs}') t ON o.customer = t.customer_id''').fetchall()[0])
"""


def check_deciles(tenfold, python, work, peer, binary):
    """The six deciles of all customers, as ours and as a peer's: none may differ."""
    listed = subprocess.run(
        [binary, "snapshot", "files", "-p", tenfold.place, "-o", "json"],
        capture_output=True, text=True, check=True,
    )
    files = [row["location"] for row in json.loads(listed.stdout) if row["table"] == "customer_value"]
    answer = subprocess.run(
        [python, "-c", DIFFERENT, str(files), work / f"{peer.name}.parquet", ",".join(LOOKBACKS)],
        capture_output=True, text=True, check=False,
    )
    if answer.returncode != 0:
        sys.exit(answer.stderr)
    different, rows = json.loads(answer.stdout.replace("(", "[").replace(")", "]"))
    if different or not rows:
        sys.exit(f"{different} of {rows} customers differ between {tenfold.name} and {peer.name}")
    return rows


def megabytes(count):
    return f"{count / 1e6:,.0f} MB"


def table(title, results, fastest):
    lines = [f"| {title} | wall | CPU | peak memory | wall against the fastest peer |", "|---|---:|---:|---:|---:|"]
    for name, taken in results.items():
        ratio = f"{taken.wall / fastest.wall:.2f}"
        cells = f"{taken.wall:.2f} s | {taken.cpu:.2f} s | {megabytes(taken.memory)} | {ratio}"
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--customers", type=int, default=2_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--text-keys", action="store_true", help="customers as text")
    arguments.add_argument("--event-ids", action="store_true", help="Tenfold counts every event once by its id as well")
    arguments.add_argument("--memory", default="4GiB", help="memory for Tenfold's tasks")
    arguments.add_argument("--peers", default="duckdb,polars,datafusion", help="whom Tenfold is compared with")
    arguments.add_argument("--spark", action="store_true", help="Spark as well, which needs Java 17 or later")
    given = arguments.parse_args()
    binary = given.binary.resolve()
    python = interpreter()
    purchases = generated(python, given.customers, given.text_keys)
    work = cache() / "work"
    shutil.rmtree(work, ignore_errors=True)
    peers = [Peer(name, python) for name in given.peers.split(",")]
    if given.spark:
        peers.append(Peer("spark", interpreter("spark", "requirements-spark.txt")))
    options = ["--memory", given.memory]
    tenfold = Tenfold("tenfold", binary, options, given.event_ids, given.text_keys)
    full, night = {}, {}
    as_of, next_day = FIRST + timedelta(days=DAYS), FIRST + timedelta(days=DAYS + 1)
    for number in range(given.rounds):
        days = linked(work, purchases, DAYS)
        for one in [*peers, tenfold]:
            full.setdefault(one.name, []).append(one.full(work, days, as_of))
        for peer in peers:
            rows = check_deciles(tenfold, python, work, peer, binary)
        link(purchases, days, DAYS)
        for one in peers:
            night.setdefault(one.name, []).append(one.full(work, days, next_day))
        night.setdefault(tenfold.name, []).append(tenfold.night(next_day))
        for peer in peers:
            check_deciles(tenfold, python, work, peer, binary)
        for what, taken in (("full", full), ("night", night)):
            shown = ", ".join(f"{name} {runs[-1].wall:.2f}" for name, runs in taken.items())
            print(f"round {number + 1}, {what}: {shown}", file=sys.stderr, flush=True)
    for title, taken in ((f"{rows:,} customers, everything", full), ("one day more", night)):
        results = {name: measure.middle(runs) for name, runs in taken.items()}
        fastest = min((results[peer.name] for peer in peers), key=lambda run: run.wall)
        print(table(title, results, fastest), end="\n\n")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()

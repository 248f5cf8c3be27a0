#!/usr/bin/env python3
"""A join and an aggregate: in one process by DataFusion, as a user table locally, by one executor with two threads, and
by two with one each.

The statement has the revenue and decile of six look-back periods as six rows of each customer, joins them with the customers, and
counts and adds up by decile. Every round takes each kind once, with processes of its own and a statement that was never computed
before. Seconds of a table are those of its task, so planning, both jobs of Ballista and the files are in them; memory is the peak
of the largest worker in the whole refresh. Those of `tenfold sql` are of the whole command. The rows must be the same.

A table with `engine: local` has the memory of a statement and no more; one that needs more than that says so.

    python3 bench/wide.py target/release/tenfold [--customers 2000000] [--rounds 3] [--memory 1GiB] [--wide-memory 1GiB] [--sql-memory 8GiB]

The program has to be built with `--features ballista`.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
from datetime import datetime, timedelta

import measure
from compare import DAYS, FIRST, LOOKBACKS, Tenfold, cache, generated, interpreter, linked, megabytes
from workers import Cluster

AS_OF = FIRST + timedelta(days=DAYS)
SQL = "`tenfold sql`, two threads"
KINDS = {
    "local, one thread": ("local", 1, ["--threads", "1"]),
    "Ballista, one worker with two threads": ("ballista", 1, ["--threads", "2"]),
    "Ballista, two workers with one thread": ("ballista", 2, ["--threads", "1"]),
}
ORDER = "ORDER BY lookback, decile, value_decile"
PERIOD = "SELECT customer, '{0}' AS lookback, decile_revenue_{0} AS decile, revenue_{0} AS revenue FROM customer_value"
PERIODS = " UNION ALL\n  ".join(PERIOD.format(lookback) for lookback in LOOKBACKS)
HEAD = """\
/*
keys: [lookback, decile, value_decile]
engine: {engine}
*/
"""
STATEMENT = """\
WITH periods AS (
  {periods}
)
SELECT p.lookback, p.decile, v.decile_clv_12m AS value_decile, count(*) AS customers, sum(p.revenue) AS revenue,
       sum(v.revenue_lifetime) AS lifetime, min(v.first_purchase) AS first, {number} AS number
FROM periods p JOIN customer_value v ON v.customer = p.customer
WHERE p.decile IS NOT NULL AND v.decile_clv_12m IS NOT NULL
GROUP BY p.lookback, p.decile, v.decile_clv_12m
"""


def asked(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def computed(binary, project, kind, number, given):
    """Seconds of the step, peak of memory, and the rows; or why there are none."""
    engine, workers, options = KINDS[kind]
    (project / "tables").mkdir(exist_ok=True)
    text = HEAD.format(engine=engine) + STATEMENT.format(number=number, periods=PERIODS)
    (project / "tables/joined.sql").write_text(text)
    if engine == "ballista":
        options = [*options, "--wide-listen", "127.0.0.1:0", "--wide-memory", given.wide_memory]
    cluster = Cluster(binary, project, workers, given.memory, options)
    try:
        _, memory = cluster.refresh(AS_OF)
    except SystemExit as failed:
        cluster.end()
        if engine != "local" or " more, of which " not in str(failed):
            raise
        return "more memory than a statement has"
    run = json.loads(asked(binary, "run", "describe", "@latest", "--address", cluster.address, "-o", "json"))
    moments = ((step["started_at"], step["ended_at"]) for step in run["steps"] if step["step"] == "model")
    taken = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun) for begun, ended in moments)
    cluster.end()
    rows = asked(binary, "sql", f"SELECT * EXCEPT (number) FROM joined {ORDER}", "-p", project, "-o", "csv")
    # Tables of Tenfold's own come first, and the checks of this one after it.
    return max(taken).total_seconds(), memory, rows


def by_sql(binary, project, number, given):
    """The same of a command that computes the statement in its own process."""
    statement = STATEMENT.format(number=number, periods=PERIODS)
    asking = f"SELECT * EXCEPT (number) FROM ({statement}) AS joined {ORDER}"
    taken = measure.run(
        [binary, "sql", asking, "-p", project, "-o", "csv", "--threads", "2", "--memory", given.sql_memory])
    return taken.wall, taken.memory, taken.output


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--customers", type=int, default=2_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--memory", default="1GiB", help="memory of each worker for tasks")
    arguments.add_argument("--wide-memory", default="1GiB", help="memory of each worker for parts of statements")
    arguments.add_argument("--sql-memory", default="8GiB", help="memory of the one process")
    given = arguments.parse_args()
    binary = given.binary.resolve()
    work = cache() / "wide"
    shutil.rmtree(work, ignore_errors=True)
    purchases = linked(work, generated(interpreter(), given.customers, False), DAYS)
    project = Tenfold("tenfold", binary, []).project(work, purchases)
    asked(binary, "refresh", "-p", project, "--as-of", AS_OF, "-q", "--memory", given.sql_memory)
    taken, refused, rows, number = {}, {}, set(), 0
    for turn in range(given.rounds):
        for kind in [SQL, *KINDS]:
            number += 1
            if kind == SQL:
                told = by_sql(binary, project, number, given)
            else:
                told = computed(binary, project, kind, number, given)
            if isinstance(told, str):
                refused[kind] = told
                print(f"round {turn + 1}, {kind}: needs {told}", file=sys.stderr, flush=True)
                continue
            *figures, answer = told
            taken.setdefault(kind, []).append(figures)
            rows.add(answer)
            print(f"round {turn + 1}, {kind}: {figures[0]:.2f} s", file=sys.stderr, flush=True)
    if len(rows) != 1:
        sys.exit("the rows differ")
    shutil.rmtree(work)
    joined = len(LOOKBACKS) * given.customers
    print(f"| {joined:,} rows joined with {given.customers:,} | wall | peak memory of the largest process |\n|---|---:|---:|")
    for kind, why in refused.items():
        print(f"| {kind} | needs {why} | |")
    for kind, runs in taken.items():
        seconds = statistics.median(seconds for seconds, _ in runs)
        memory = max(memory for _, memory in runs)
        print(f"| {kind} | {seconds:.2f} s | {megabytes(memory)} |")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What a fit on a sample of the customers costs in accuracy, against a fit on all of them.

    python3 bench/sample.py target/release/tenfold [--customers 2000000] [--samples 1000000,250000,60000]
"""

import argparse
import json
import pathlib
import tempfile
from datetime import timedelta

import measure
from compare import DAYS, DECLARATIONS, FIRST, cache, generated, interpreter

COMPARE = """
import sys, duckdb
all_, sampled = (f"read_parquet('{p}/store/tables/customer_value/*/*.parquet')" for p in sys.argv[1:3])
moved, farthest, total, each = duckdb.sql(f'''
    SELECT avg((a.decile_clv_12m <> s.decile_clv_12m)::INT), max(abs(a.decile_clv_12m - s.decile_clv_12m)),
           sum(s.clv_12m) / sum(a.clv_12m) - 1, avg(abs(s.clv_12m - a.clv_12m)) / avg(a.clv_12m)
    FROM {all_} a JOIN {sampled} s USING (customer)''').fetchall()[0]
print(f"{moved:.2%} (by {farthest} at most) | {total:+.2%} | {each:.2%}")
"""


def fitted(binary, folder, purchases, customers):
    """A project whose models are fitted on so many customers at least; and how many they were."""
    place = folder / str(customers)
    place.mkdir()
    text = DECLARATIONS.format(purchases=f"{purchases}/", event_id="", key="int64")
    text = text.replace("models: [pareto_nbd]", f"models: [pareto_nbd], fit_customers: {customers}")
    (place / "tenfold.yaml").write_text(text)
    as_of = FIRST + timedelta(days=DAYS)
    measure.run([binary, "refresh", "-p", place, "--as-of", as_of.isoformat(), "-q"])
    fits = json.loads(measure.run([binary, "params", "get", "-p", place, "-o", "json", "-q"]).output)
    return place, fits["transactions"][0]["customers"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--customers", type=int, default=2_000_000)
    arguments.add_argument("--samples", default="1000000,250000,60000")
    given = arguments.parse_args()
    binary, python = given.binary.resolve(), interpreter()
    purchases = generated(python, given.customers, False)
    print("| fitted on | customers in another decile | sum of CLV | mean difference of CLV |")
    print("|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        everybody, count = fitted(binary, pathlib.Path(folder), purchases, 10 * given.customers)
        print(f"| {count:,} (all) | 0 | 0 | 0 |", flush=True)
        for sample in given.samples.split(","):
            place, count = fitted(binary, pathlib.Path(folder), purchases, int(sample))
            told = measure.run([python, "-c", COMPARE, everybody, place])
            print(f"| {count:,} | {told.output.strip()} |", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A night after a long history and after one of a tenth of it, with the same customers and the same new events.

Every day has so many purchases, by customers with gamma-distributed rates who never leave.
Each round publishes a snapshot of either history, and measures the night that follows; figures are medians.

    python3 bench/history.py target/release/tenfold [--customers 500000] [--purchases 50000] [--days 73,730] [--rounds 3]
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
from datetime import timedelta

import measure
from compare import DAYS, FIRST, Tenfold, cache, interpreter, link, megabytes

GENERATE = """
import pathlib, sys
from datetime import date, timedelta
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
sys.path.insert(0, sys.argv[1])
from generate import DAY, EPOCH, decimals
folder, first = pathlib.Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
days, customers, purchases = map(int, sys.argv[4:])
folder.mkdir(parents=True)
# Rates of customers differ as those of the models do; nobody leaves, so that both histories have the same customers.
rates = np.cumsum(np.random.default_rng(1).gamma(0.7, 1.0, customers))
for number in range(days):
    draw, day = np.random.default_rng([1, number]), first + timedelta(days=number)
    at = draw.integers(0, DAY, purchases) + (day - EPOCH).days * DAY
    columns = {
        "customer_id": np.searchsorted(rates, draw.uniform(0, rates[-1], purchases)) * 7919 + 1_000_000,
        "ts": pa.array(at, type=pa.timestamp("us", tz="UTC")),
        "amount": decimals((draw.gamma(6.0, 500.0, purchases)).astype(np.int64) + 1),
    }
    pq.write_table(pa.table(columns), folder / f"{day}.parquet", compression="snappy", store_decimal_as_integer=True)
"""


def generated(python, customers, purchases):
    """The folder of 731 days: the last day is that of the night."""
    place = cache() / f"history-{customers}-{purchases}"
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        given = [pathlib.Path(__file__).parent, place, FIRST, DAYS + 1, customers, purchases]
        subprocess.run([str(part) for part in [python, "-c", GENERATE, *given]], check=True)
        (place / "done").touch()
    return place


def newest(work, purchases, days):
    """A folder with the last days before the night."""
    place = work / f"purchases{days}"
    place.mkdir(parents=True)
    for day in range(DAYS - days, DAYS):
        link(purchases, place, day)
    return place


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--customers", type=int, default=500_000)
    arguments.add_argument("--purchases", type=int, default=50_000, help="of a day")
    arguments.add_argument("--days", default="73,730", help="of the histories")
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    purchases = generated(interpreter(), given.customers, given.purchases)
    work = cache() / "history"
    shutil.rmtree(work, ignore_errors=True)
    tenfold = Tenfold("tenfold", given.binary.resolve(), [])
    histories = [int(days) for days in given.days.split(",")]
    full, nights = {}, {}
    as_of, next_day = FIRST + timedelta(days=DAYS), FIRST + timedelta(days=DAYS + 1)
    for number in range(given.rounds):
        for days in histories:
            folder = newest(work / f"round{number}", purchases, days)
            full.setdefault(days, []).append(tenfold.full(work, folder, as_of))
            link(purchases, folder, DAYS)
            nights.setdefault(days, []).append(tenfold.night(next_day))
        shown = ", ".join(f"{days} days: {runs[-1].wall:.2f} s" for days, runs in nights.items())
        print(f"round {number + 1}, nights after {shown}", file=sys.stderr, flush=True)
    shutil.rmtree(work)
    print("| days before | purchases before | the first refresh | the night after it | CPU | peak memory | against the first |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    first = measure.middle(nights[histories[0]]).wall
    for days in histories:
        began, night = measure.middle(full[days]), measure.middle(nights[days])
        cells = [f"{days:,}", f"{days * given.purchases:,}", f"{began.wall:.2f} s", f"{night.wall:.2f} s", f"{night.cpu:.2f} s"]
        print(f"| {' | '.join([*cells, megabytes(night.memory), f'{night.wall / first:.2f}'])} |")


if __name__ == "__main__":
    main()

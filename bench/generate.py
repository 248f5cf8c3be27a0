#!/usr/bin/env python3
"""Purchases of customers as the models see them, one Parquet file a day.

Rates of buying and of leaving are gamma-distributed (Pareto/NBD), mean spend as well (Gamma-Gamma).
The same seed gives the same rows.

    generate.py FOLDER --customers 2000000 [--days 730] [--seed 1] [--text-keys]
"""

import argparse
import pathlib
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIRST = date(2024, 1, 2)
DAY = 86_400_000_000
EPOCH = date(1970, 1, 1)


def purchases(draw, customers, days):
    """Customer, microsecond since FIRST and cents of every purchase, by time."""
    joined = draw.uniform(0, days * 0.9, customers)
    rate = draw.gamma(0.7, 1 / 33.0, customers)
    leaving = draw.gamma(0.9, 1 / 250.0, customers)
    alive = np.minimum(draw.exponential(1.0, customers) / leaving, days - joined)
    repeats = draw.poisson(rate * alive)
    customer = np.concatenate([np.arange(customers), np.repeat(np.arange(customers), repeats)])
    later = np.repeat(joined, repeats) + draw.uniform(0, 1, repeats.sum()) * np.repeat(alive, repeats)
    at = (np.concatenate([joined, later]) * DAY).astype(np.int64)
    del later
    mean = 15.0 * draw.gamma(6.0, 1.0, customers) / draw.gamma(4.0, 1.0, customers)
    cents = (mean[customer] * draw.gamma(6.0, 100 / 6.0, len(customer))).astype(np.int64) + 1
    order = np.argsort(at, kind="stable")
    return customer[order], at[order], cents[order]


def decimals(cents):
    """Cents as decimal(12,2) without going through Python numbers."""
    wide = np.empty((len(cents), 2), dtype=np.int64)
    wide[:, 0], wide[:, 1] = cents, 0
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(wide)])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--customers", type=int, default=2_000_000)
    arguments.add_argument("--days", type=int, default=730)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--text-keys", action="store_true", help="customers as text")
    given = arguments.parse_args()
    draw = np.random.default_rng(given.seed)
    customer, at, cents = purchases(draw, given.customers, given.days)
    # Numbers of customers are spread, as those of real ones are.
    key = customer * 7919 % (given.customers * 10 + 9) + 1_000_000
    event = np.arange(len(at), dtype=np.int64)
    first = (FIRST - EPOCH).days * DAY
    starts = np.searchsorted(at, np.arange(given.days + 1) * DAY)
    given.folder.mkdir(parents=True, exist_ok=True)
    for day in range(given.days):
        rows = slice(starts[day], starts[day + 1])
        # Within a day in the order of arrival, which is not that of time.
        mixed = draw.permutation(starts[day + 1] - starts[day]) + starts[day]
        keys = pa.array(key[mixed])
        if given.text_keys:
            keys = pa.array([f"C{number:012d}" for number in key[mixed]])
        table = pa.table(
            {
                "event_id": pa.array(event[rows]),
                "customer_id": keys,
                "ts": pa.array(at[mixed] + first, type=pa.timestamp("us", tz="UTC")),
                "amount": decimals(cents[mixed]),
            }
        )
        name = given.folder / f"{FIRST + timedelta(days=day)}.parquet"
        pq.write_table(table, name, compression="snappy", store_decimal_as_integer=True)
    print(f"{given.customers:,} customers, {len(at):,} purchases, {given.days} files in {given.folder}")


if __name__ == "__main__":
    main()

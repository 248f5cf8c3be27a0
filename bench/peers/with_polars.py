"""Polars: FOLDER AS_OF OUT MEMORY_MB"""

import os
import sys
from datetime import UTC, date, datetime

os.environ.setdefault("POLARS_MAX_THREADS", "2")
import polars as pl

folder, as_of, out, _ = sys.argv[1:5]
as_of = date.fromisoformat(as_of)


def back(months):
    """The midnight some months before `as_of`, which is the first of a month."""
    year, month = divmod(as_of.year * 12 + as_of.month - 1 - months, 12)
    return datetime(year, month + 1, as_of.day, tzinfo=UTC)


def tile(name):
    """NTILE(10): the first (n mod 10) tiles hold one row more."""
    place = pl.col(name).rank("ordinal", descending=True).cast(pl.Int64) - 1
    small, larger = pl.len().cast(pl.Int64) // 10, pl.len().cast(pl.Int64) % 10
    in_larger = place // (small + 1)
    in_smaller = larger + (place - larger * (small + 1)) // pl.max_horizontal(small, 1)
    tiles = pl.when(place < larger * (small + 1)).then(in_larger).otherwise(in_smaller)
    return (tiles + 1).alias(f"decile_{name}")


LOOKBACKS = (1, 3, 6, 9, 12)
sums = [pl.col("amount").filter(pl.col("ts") >= back(m)).sum().alias(f"revenue_{m}m") for m in LOOKBACKS]
names = [f"revenue_{m}m" for m in LOOKBACKS] + ["revenue_lifetime"]
end = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
(
    pl.scan_parquet(f"{folder}/*.parquet")
    # Whole cents: polars adds them up several times as fast as its decimals.
    .with_columns(amount=(pl.col("amount") * 100).cast(pl.Int64))
    .filter(pl.col("ts") < end)
    .group_by("customer_id")
    .agg(
        pl.col("ts").min().alias("first_purchase"),
        pl.col("ts").max().alias("last_purchase"),
        pl.len().alias("purchases"),
        *sums,
        pl.col("amount").sum().alias("revenue_lifetime"),
    )
    .sort("customer_id")
    .with_columns(tile(name) for name in names)
    .collect()
    .write_parquet(out)
)

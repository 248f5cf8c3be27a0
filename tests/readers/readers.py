"""Other programs read the tables of a snapshot: same rows as `tenfold sql`.

Usage: readers.py TENFOLD_BINARY STORE [ERASED]

Every table of every snapshot is read at its pinned version by deltalake, by Polars through Delta,
and by DuckDB from the manifest's list of files, and compared, row by row, with what `tenfold sql`
writes as Parquet. ERASED is a customer who was erased: no program may find them at any version that
a snapshot names, and deltalake reads every version of the logs that is left.
"""

import json
import subprocess
import sys
import tempfile

import duckdb
import polars as pl
import pyarrow.fs
import pyarrow.parquet
from deltalake import DeltaTable


def tenfold(binary, store, *arguments):
    command = [binary, *arguments, "--store", store]
    return subprocess.run(command, check=True, capture_output=True).stdout


def rows(frame, columns):
    """Rows in an order that does not depend on the reader; maps as sorted pairs."""
    frame = frame.select(columns)
    plain = []
    for row in frame.iter_rows():
        plain.append(tuple(value(cell) for cell in row))
    return sorted(plain, key=repr)


def value(cell):
    if isinstance(cell, dict):
        return tuple(sorted(cell.items()))
    if isinstance(cell, list):
        pairs = [tuple(pair.values()) if isinstance(pair, dict) else tuple(pair) for pair in cell]
        return tuple(sorted(pairs))
    return cell


def expected(binary, store, number, table):
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        query = f"SELECT * FROM {table}"
        file.write(tenfold(binary, store, "sql", query, "--at", str(number), "-o", "parquet"))
        file.flush()
        return pl.from_arrow(pyarrow.parquet.read_table(file.name))


def read_delta(root, version):
    """A table as deltalake reads it, its files by the file system of Arrow.

    The one that deltalake gives by default is a Python object. Threads of Arrow let go of it after
    the table was returned; one that does so while the interpreter ends aborts the process
    (https://github.com/apache/arrow/issues/34314).
    """
    files = pyarrow.fs.SubTreeFileSystem(root, pyarrow.fs.LocalFileSystem())
    found = DeltaTable(root, version=version).to_pyarrow_dataset(filesystem=files).to_table()
    return pl.from_arrow(found)


def without(frame, name, erased):
    """Nobody who was erased is in a table."""
    if erased is not None and "customer" in frame.columns:
        theirs = frame.filter(pl.col("customer").cast(pl.String) == erased)
        assert theirs.is_empty(), f"{erased} is in {name}"
    return frame


def check(binary, store, number, name, table, files, erased):
    wanted = expected(binary, store, number, name)
    columns = [column for column in wanted.columns if column != "shard"]
    want = rows(wanted, columns)
    assert len(want) == table["rows"], f"{name} has {len(want)} rows, not {table['rows']}"
    version = table["delta_version"]
    root = f"{store}/{table['root']}"
    by_delta = without(read_delta(root, version), name, erased)
    assert rows(by_delta, columns) == want, f"deltalake reads {name} differently"
    by_polars = without(pl.scan_delta(root, version=version).collect(), name, erased)
    assert rows(by_polars, columns) == want, f"Polars reads {name} differently"
    by_duckdb = duckdb.read_parquet(files, hive_partitioning=False).to_arrow_table()
    without(pl.from_arrow(by_duckdb), name, erased)
    assert rows(pl.from_arrow(by_duckdb), columns) == want, f"DuckDB reads {name} differently"
    return len(want)


def every_version(store, name, root, erased):
    """All versions of a table, those between two snapshots among them."""
    newest = DeltaTable(f"{store}/{root}").version()
    for version in range(newest + 1):
        found = read_delta(f"{store}/{root}", version)
        without(found, f"{name} at version {version}", erased)
    return newest + 1


def main(binary, store, erased=None):
    passed = 0
    roots = {}
    for snapshot in json.loads(tenfold(binary, store, "snapshot", "ls", "-o", "json")):
        number = snapshot["number"]
        manifest = json.loads(tenfold(binary, store, "snapshot", "get", str(number), "-o", "json"))
        listed = json.loads(tenfold(binary, store, "snapshot", "files", str(number), "-o", "json"))
        for name, table in manifest["tables"].items():
            files = [file["location"] for file in listed if file["table"] == name]
            count = check(binary, store, number, name, table, files, erased)
            roots[name] = table["root"]
            print(f"snapshot {number} {name}: {count} rows agree in deltalake, Polars and DuckDB")
            passed += 1
    for name, root in roots.items() if erased is not None else ():
        count = every_version(store, name, root, erased)
        print(f"{name}: the erased customer is in none of {count} versions")
        passed += 1
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Counts the instructions of each kernel, and compares them with those on record.

Seconds depend on what else a machine does; instructions do not. Each kernel of core/benches/kernels.rs
runs once under `valgrind --tool=callgrind`, in the build that tests use. A kernel that takes a
twentieth more, or less, than on record fails: one that takes less is recorded with TENFOLD_BLESS=1.

    python3 tests/instructions/check.py BINARY_OF_THE_BENCHES

It says so and does nothing where there is no valgrind.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

KERNELS = {
    "fit of Pareto/NBD": "fit/ParetoNbd",
    "fit of BG/NBD": "fit/BgNbd",
    "fit of spend": "fit_of_spend",
    "scores": "score",
    "cells of values": "count_cells",
    "tiles of customers": "assign_tiles",
}
ALLOWED = 0.05
RECORD = pathlib.Path(__file__).parent / "expected.json"


def instructions(binary, kernel):
    """Instructions of the program that runs one kernel once."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary]
        command += ["--test", "--exact", f"kernels::{kernel}".replace("/", "::")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{kernel} failed:\n{done.stdout}{done.stderr}")
        if kernel.split("/")[0] not in done.stdout:
            raise SystemExit(f"{kernel} did not run:\n{done.stdout}")
        return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M).group(1))


def main(binary):
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return
    start = instructions(binary, "nothing")
    counted = {name: instructions(binary, kernel) - start for name, kernel in KERNELS.items()}
    if os.environ.get("TENFOLD_BLESS"):
        RECORD.write_text(json.dumps(counted, indent=2) + "\n")
    expected = json.loads(RECORD.read_text())
    failed = False
    for name, count in counted.items():
        change = count / expected[name] - 1
        print(f"{name:20} {count:>14,} instructions  {change:+.1%}")
        failed |= abs(change) > ALLOWED
    if failed:
        raise SystemExit("a kernel takes a twentieth more or less than on record: mend it, or record it with TENFOLD_BLESS=1")


if __name__ == "__main__":
    main(*sys.argv[1:])

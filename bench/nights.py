#!/usr/bin/env python3
"""Nights of a growing airline: what each reads, writes and takes.

Generates members with gamma-distributed rates of flying who may leave, one file of flights a day, and
refreshes once a day with the `tenfold` binary. The nights named are shown as a table (Markdown), with a
full refresh of the same files beside the last one. The same seed gives the same files.

    python3 bench/nights.py target/release/tenfold --members 20000 --nights 1,30,365
"""

import argparse
import json
import pathlib
import random
import subprocess
import tempfile
import time
from datetime import date, timedelta

DECLARATIONS = """\
project: airline
time_zone: UTC
customer: {type: int64}
sources:
  flights:
    path: flights/
    format: csv
    types: {member: int64, day: date, fare: "decimal(12,2)"}
    customer: member
    time: day
    measures:
      revenue: {column: fare, currency: EUR}
clv: {source: flights, value: revenue, models: [pareto_nbd]}
deciles:
  - measure: revenue
    lookbacks: [1, 3, 6, 9, 12, lifetime]
"""
FIRST = date(2022, 1, 1)


def members(draw, count):
    """Flights per day, the day of joining and the last day of each member."""
    for number in range(count):
        rate = draw.gammavariate(0.9, 1 / 60)
        joined = draw.randrange(-365, 365)
        yield number, rate, joined, joined + draw.expovariate(1 / 900)


def write_day(folder, draw, people, offset):
    """Writes the flights of a day and tells how many there are."""
    day = FIRST + timedelta(days=offset)
    rows = ["member,day,fare"]
    for number, rate, joined, left in people:
        if joined <= offset < left and draw.random() < rate:
            rows.append(f"{number},{day},{draw.lognormvariate(5, 0.6):.2f}")
    (folder / f"{day}.csv").write_text("\n".join(rows) + "\n")
    return len(rows) - 1


def refresh(binary, project, as_of, shards):
    """Refreshes and gives seconds and what the run says of itself."""
    command = [binary, "refresh", "-p", project, "--as-of", as_of.isoformat(), "-o", "json"]
    command += ["--shards", str(shards)]
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    record = json.loads(done.stdout)
    return seconds, record["summary"]["merge"], record["steps"]


def shown(bytes_):
    return f"{bytes_ / 1e6:.1f} MB"


def line(night, history, rows, seconds, merge, steps):
    forward = f"{merge['forward']} of {merge['shards']}"
    months = f"{merge['months_read']} of {merge['months']}"
    cells = [night, f"{history:,}", f"{rows:,}", forward, months]
    cells += [shown(merge[name]) for name in ("bytes", "bytes_read", "bytes_written")]
    print("| " + " | ".join([*map(str, cells), f"{seconds:.2f}"]) + " |", flush=True)
    return night, {step["step"]: step["seconds"] for step in steps}


def show_steps(nights):
    """Seconds of each step in each of the nights."""
    print("\n| seconds of | " + " | ".join(str(night) for night, _ in nights) + " |")
    print("|---|" + "---:|" * len(nights))
    for step in dict.fromkeys(step for _, steps in nights for step in steps):
        cells = (f"{steps[step]:.3f}" if step in steps else "" for _, steps in nights)
        print(f"| {step} | {' | '.join(cells)} |")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--members", type=int, default=20_000)
    arguments.add_argument("--history", type=int, default=365, help="days before the first night")
    arguments.add_argument("--nights", default="1,30,365")
    arguments.add_argument("--shards", type=int, default=64)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    wanted = sorted(int(night) for night in given.nights.split(","))
    draw = random.Random(given.seed)
    people = list(members(draw, given.members))
    print("| night | rows before | new rows | shards brought forward | months read | state | read | written | seconds |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder)
        (project / "tenfold.yaml").write_text(DECLARATIONS)
        flights = project / "flights"
        flights.mkdir()
        rows = sum(write_day(flights, draw, people, day) for day in range(given.history))
        first = FIRST + timedelta(days=given.history)
        lines = [line("history", 0, rows, *refresh(given.binary, project, first, given.shards))]
        for night in range(1, wanted[-1] + 1):
            new = write_day(flights, draw, people, given.history + night - 1)
            as_of = first + timedelta(days=night)
            seconds, merge, steps = refresh(given.binary, project, as_of, given.shards)
            if night in wanted:
                lines.append(line(night, rows, new, seconds, merge, steps))
            rows += new
        again = project / "again"
        again.mkdir()
        (again / "tenfold.yaml").write_text(DECLARATIONS)
        flights.rename(again / "flights")
        lines.append(line("all at once", 0, rows, *refresh(given.binary, again, as_of, given.shards)))
        show_steps(lines)


if __name__ == "__main__":
    main()

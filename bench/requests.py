#!/usr/bin/env python3
"""What a night asks of a bucket: reads, writes and listings of each step, which cost money.

Refreshes the airline of `nights.py` into an S3 server for tests (moto, see tests/s3), and shows the
requests of a first refresh, of a night with a day of flights, of one without flights, and of one with
nothing new. Requests to the files of the source are among them: they lie in the bucket, too.

    ~/.cache/tenfold/s3/bin/python bench/requests.py target/release/tenfold
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
from datetime import timedelta

import boto3

from nights import DECLARATIONS, FIRST, members, write_day

KINDS = ("get", "put", "list", "delete")
NIGHTS = ("first", "a day of flights", "no flights", "nothing new")
SERVER = pathlib.Path(__file__).parent.parent / "tests" / "s3" / "server.py"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--members", type=int, default=5_000)
    arguments.add_argument("--history", type=int, default=90, help="days before the first night")
    arguments.add_argument("--shards", type=int, default=64)
    given = arguments.parse_args()
    server = subprocess.Popen(
        [sys.executable, SERVER, "0", "lake"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = server.stdout.readline().split()[1]
        os.environ.update(
            AWS_ENDPOINT=f"http://127.0.0.1:{port}",
            AWS_ALLOW_HTTP="true",
            AWS_REGION="us-east-1",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
        show(nights(given))
    finally:
        server.kill()


def nights(given):
    """The steps of each night."""
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT"])
    draw = random.Random(1)
    people = list(members(draw, given.members))
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder)
        declared = DECLARATIONS.replace("path: flights/", "path: s3://lake/flights/")
        (project / "tenfold.yaml").write_text(declared)

        def fly(day):
            write_day(project, draw, people, day)
            name = f"{FIRST + timedelta(days=day)}.csv"
            client.upload_file(str(project / name), "lake", f"flights/{name}")

        def refresh(day):
            as_of = (FIRST + timedelta(days=day)).isoformat()
            command = [given.binary, "refresh", "-p", project, "--store", "s3://lake/store"]
            command += ["--shards", str(given.shards), "--as-of", as_of, "-o", "json"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(done.stderr)
            return {step["step"]: step for step in json.loads(done.stdout)["steps"]}

        for day in range(given.history):
            fly(day)
        first = refresh(given.history)
        fly(given.history)
        flights = refresh(given.history + 1)
        none = refresh(given.history + 2)
        return [first, flights, none, refresh(given.history + 2)]


def show(nights_):
    """The table, in Markdown: get / put / list / delete of each step and night."""
    steps = list(dict.fromkeys(step for night in nights_ for step in night))
    print(f"| step | {' | '.join(NIGHTS)} |")
    print("|---|" + "---:|" * len(NIGHTS))

    def cell(counts):
        return " / ".join(f"{counts[kind]:,}" for kind in KINDS)

    for step in steps:
        cells = [cell(night[step]) if step in night else "" for night in nights_]
        print(f"| {step} | {' | '.join(cells)} |")
    sums = [
        {kind: sum(step[kind] for step in night.values()) for kind in KINDS} for night in nights_
    ]
    print(f"| **all** | {' | '.join(map(cell, sums))} |")


if __name__ == "__main__":
    main()

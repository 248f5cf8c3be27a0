#!/usr/bin/env python3
"""First refreshes by one coordinator and 1, 2, 8 worker processes of one thread each, in turns.

Every round takes each number once: a new store, the processes started and known to the coordinator, then
`tenfold submit --wait`. Figures are medians of the time that submitting took; memory is the peak of the largest
worker. All snapshots must be equal to the byte.

    python3 bench/workers.py target/release/tenfold [--customers 2000000] [--rounds 3] [--workers 1,2,8] [--memory 1GiB]
"""

import argparse
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time

from compare import DAYS, FIRST, Tenfold, cache, generated, interpreter, linked, megabytes
from datetime import timedelta


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def peak(process):
    """Peak of resident memory so far, in bytes."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the kernel does not tell what memory a process has used")


class Cluster:
    """A coordinator and workers over the store of a project."""

    def __init__(self, binary, project, workers, memory, options=("--threads", "1")):
        self.binary = binary
        self.address = f"http://127.0.0.1:{free_port()}"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        listen = self.address.removeprefix("http://")
        self.coordinator = subprocess.Popen([binary, "coordinator", "-p", project, "--listen", listen], **quiet)
        worker = [binary, "worker", "--address", self.address, "-p", project, "--memory", memory, *options]
        self.workers = [subprocess.Popen(worker, **quiet) for _ in range(workers)]
        until = time.monotonic() + 60
        while self.known() < workers:
            if time.monotonic() > until:
                sys.exit("the workers are not known to the coordinator after a minute")
            time.sleep(0.05)

    def known(self):
        asked = [self.binary, "worker", "ls", "--address", self.address, "-o", "json"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        return len(json.loads(answer.stdout)["items"]) if answer.returncode == 0 else 0

    def refresh(self, as_of):
        command = [self.binary, "submit", "--address", self.address, "--as-of", as_of.isoformat(), "--wait", "-q"]
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
        if done.returncode != 0:
            sys.exit(done.stderr)
        return seconds, max(peak(worker) for worker in self.workers)

    def end(self):
        for process in [*self.workers, self.coordinator]:
            process.terminate()
        for process in [*self.workers, self.coordinator]:
            process.wait()


def hash_of(binary, project):
    asked = [binary, "snapshot", "get", "latest", "-p", project, "-o", "json"]
    return json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)["snapshot_hash"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--customers", type=int, default=2_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--workers", default="1,2,8")
    arguments.add_argument("--memory", default="1GiB", help="memory of each worker")
    given = arguments.parse_args()
    binary = given.binary.resolve()
    numbers = [int(number) for number in given.workers.split(",")]
    work = cache() / "workers"
    shutil.rmtree(work, ignore_errors=True)
    purchases = linked(work, generated(interpreter(), given.customers, False), DAYS)
    declared = Tenfold("tenfold", binary, [])
    taken, hashes = {}, set()
    for number in range(given.rounds):
        for workers in numbers:
            project = declared.project(work, purchases)
            cluster = Cluster(binary, project, workers, given.memory)
            taken.setdefault(workers, []).append(cluster.refresh(FIRST + timedelta(days=DAYS)))
            cluster.end()
            hashes.add(hash_of(binary, project))
        shown = ", ".join(f"{workers}: {runs[-1][0]:.2f} s" for workers, runs in taken.items())
        print(f"round {number + 1}: {shown}", file=sys.stderr, flush=True)
    if len(hashes) != 1:
        sys.exit(f"the snapshots differ: {sorted(hashes)}")
    shutil.rmtree(work)
    one = statistics.median(seconds for seconds, _ in taken[numbers[0]])
    print(f"| workers | wall | times as fast as {numbers[0]} | peak memory of a worker |\n|---:|---:|---:|---:|")
    for workers, runs in taken.items():
        seconds = statistics.median(seconds for seconds, _ in runs)
        memory = megabytes(max(memory for _, memory in runs))
        print(f"| {workers} | {seconds:.2f} s | {one / seconds:.2f} | {memory} |")


if __name__ == "__main__":
    main()

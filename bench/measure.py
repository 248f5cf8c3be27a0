"""Runs programs and tells what they took: wall time, processor time and peak memory."""

import dataclasses
import os
import statistics
import subprocess
import sys
import time


@dataclasses.dataclass
class Taken:
    """One run: seconds on the wall, seconds of processor, peak of resident memory in bytes."""

    wall: float
    cpu: float
    memory: int
    output: str


def run(command, **settings):
    """Runs a program to its end; a program that fails ends the measurement."""
    begun = time.monotonic()
    child = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    output, errors = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begun
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed ({child.returncode}):\n{errors}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output)


def middle(runs):
    """The median of each figure; the peak of memory is the largest."""
    return Taken(
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.memory for run in runs),
        "",
    )

#!/usr/bin/env python3
"""Pareto/NBD and BG/NBD fitted to all customers: Tenfold beside lifetimes and pymc-marketing, in turns.

All fit to the same frequency, recency and age in days. Tenfold's seconds are those of the step `fit` of a refresh, on all
processors: reading the accounts, counting equal customers, the model, and Gamma-Gamma. Those of the others are one fit of
arrays in memory. lifetimes fits twice: everybody as a row, and equal customers as one row with a weight (counting them is
in its seconds). pymc-marketing finds the maximum with flat priors; before its seconds begin it has fitted a thousand
customers, which makes its C code (and needs a C++ compiler).

Each round runs all programs once, one after the other; seconds are medians, parameters those of the last round. One function
(`likelihood.py`) tells how likely everybody's purchases are under the parameters of each program. A parameter that is off
by its standard error loses half a unit of log-likelihood, of all customers together, when the others make up for it.

    python3 bench/fit.py target/release/tenfold [--customers 1000000] [--rounds 3] [--limit 600]
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
from datetime import timedelta

import measure
from compare import DAYS, DECLARATIONS, FIRST, HERE, cache, generated, interpreter

MODELS = ("pareto_nbd", "bg_nbd")
AS_OF = FIRST + timedelta(days=DAYS + 1)
KEYS = """
import sys, duckdb, numpy
purchases, as_of, out = sys.argv[1:]
duckdb.execute("SET TimeZone = 'UTC'")
numpy.savez(out, **duckdb.sql(f'''
    SELECT count(*) - 1 AS x, max(day) - min(day) AS t_x, DATE '{as_of}' - 1 - min(day) AS age
    FROM (SELECT DISTINCT customer_id, ts::DATE AS day FROM read_parquet('{purchases}/*.parquet')
          WHERE ts < DATE '{as_of}')
    GROUP BY customer_id ORDER BY customer_id''').fetchnumpy())
"""


@dataclasses.dataclass
class Fit:
    """Seconds and parameters of a fit, or what went wrong."""

    seconds: float = math.nan
    parameters: dict = dataclasses.field(default_factory=dict)
    trouble: str = ""
    # The log-likelihood per customer that the program itself tells.
    told: float = math.nan
    # Took longer than it may.
    late: bool = False


class Tenfold:
    """Refreshes in a fresh store, and fits to everybody."""

    name = "Tenfold"

    def __init__(self, binary, folder, purchases, customers):
        self.binary, self.folder, self.customers = binary, folder, customers
        self.text = DECLARATIONS.format(purchases=f"{purchases}/", event_id="", key="int64")

    def fit(self, model):
        settings = f"unit: day, holdout: none, fit_customers: {self.customers}"
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            text = self.text.replace("models: [pareto_nbd]", f"models: [{model}], {settings}")
            (pathlib.Path(place) / "tenfold.yaml").write_text(text)
            common = ["-p", place, "-o", "json", "-q"]
            run = json.loads(measure.run([self.binary, "refresh", "--as-of", AS_OF.isoformat(), *common]).output)
            [fit] = json.loads(measure.run([self.binary, "params", "get", *common]).output)["transactions"]
        if fit["customers"] != self.customers:
            sys.exit(f"Tenfold fitted {model} to {fit['customers']:,} customers instead of {self.customers:,}")
        if fit["outcome"] != "converged":
            return Fit(trouble=fit["explanation"])
        [seconds] = [step["seconds"] for step in run["steps"] if step["step"] == "fit"]
        parameters = {name: value for name, value in fit["parameters"].items() if name != "model"}
        return Fit(seconds, parameters, told=fit["log_likelihood"] / self.customers)


class Peer:
    """Fits to arrays in memory, in a process of its own."""

    def __init__(self, name, python, program, keys, limit, *options):
        self.name, self.limit = name, limit
        self.begin, self.end = [python, HERE / "peers" / program, keys], [str(limit), *options]

    def fit(self, model):
        # What PyTensor compiles stays beside the purchases.
        settings = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={cache() / 'pytensor'}"}
        done = subprocess.run(
            [*self.begin, model, *self.end], capture_output=True, text=True, check=False, env=settings
        )
        if done.returncode == -signal.SIGALRM:
            return Fit(trouble=f"not done in {self.limit} s", late=True)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            return Fit(trouble=lines[-1].strip().replace("|", "/"))
        told = json.loads(done.stdout.splitlines()[-1])
        return Fit(told["seconds"], told["parameters"])


def likelihoods(python, keys, fits):
    """The log-likelihood per customer of each (model, fit), by the one function."""
    asked = json.dumps([[model, fit.parameters] for model, fit in fits])
    return json.loads(measure.run([python, HERE / "likelihood.py", keys, asked]).output)


def check(fits, likely):
    """What Tenfold says of its fits has to be what the function says."""
    for (model, fit), value in zip(fits, likely):
        if not math.isnan(fit.told) and abs(fit.told - value) > 1e-9 * abs(value):
            sys.exit(f"Tenfold's log-likelihood of {model} is {fit.told} per customer, and is {value}")


def seconds(fits):
    """The cell of the seconds of all rounds of one program and model."""
    good = [fit.seconds for fit in fits if not fit.trouble]
    bad = [fit.trouble for fit in fits if fit.trouble]
    cells = [f"{statistics.median(good):.2f} s"] if good else []
    if bad:
        cells.append(f"{bad[-1]} ({len(bad)} of {len(fits)} times)")
    return "; ".join(cells)


def table(taken, customers, python, keys):
    """The table, in Markdown."""
    last = {}
    for at, fits in taken.items():
        good = [fit for fit in fits if not fit.trouble]
        if good:
            last[at] = good[-1]
    fits = [(model, fit) for (model, _), fit in last.items()]
    values = likelihoods(python, keys, fits)
    check(fits, values)
    likely = dict(zip(last, values))
    lines = [
        "| model | program | seconds | parameters, in days | log-likelihood per customer | of all, behind the best |",
        "|---|---|---:|---|---:|---:|",
    ]
    for (model, program), fits in taken.items():
        cells = ["", "", ""]
        if (model, program) in last:
            shown = (f"{name} {value:.5g}" for name, value in last[model, program].parameters.items())
            value = likely[model, program]
            finite = (other for at, other in likely.items() if at[0] == model and math.isfinite(other))
            best = max(finite, default=math.nan)
            cells = [", ".join(shown), f"{value:.7f}", f"{customers * (best - value):,.2f}"]
        lines.append(f"| {' | '.join([model, program, seconds(fits), *cells])} |")
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--limit", type=int, default=600, help="seconds that a fit may take")
    given = arguments.parse_args()
    data, python = interpreter(), interpreter("fit", "requirements-fit.txt")
    purchases = generated(data, given.customers, False)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        keys = pathlib.Path(folder) / "keys.npz"
        measure.run([data, "-c", KEYS, purchases, AS_OF.isoformat(), keys])

        def peer(name, program, *options):
            return Peer(name, python, program, keys, given.limit, *options)

        programs = [
            Tenfold(given.binary.resolve(), folder, purchases, given.customers),
            peer("lifetimes", "fit_with_lifetimes.py", "each"),
            peer("lifetimes, counted", "fit_with_lifetimes.py", "counted"),
            peer("pymc-marketing", "fit_with_pymc.py"),
        ]
        taken = {}
        for number in range(given.rounds):
            for model in MODELS:
                for program in programs:
                    fits = taken.setdefault((model, program.name), [])
                    if fits and fits[-1].late:
                        continue
                    fit = program.fit(model)
                    fits.append(fit)
                    shown = fit.trouble or f"{fit.seconds:.2f} s"
                    print(f"round {number + 1}, {model}, {program.name}: {shown}", file=sys.stderr, flush=True)
        print(f"{given.customers:,} customers:\n\n{table(taken, given.customers, python, keys)}")


if __name__ == "__main__":
    main()

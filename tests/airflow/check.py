"""Runs the command of examples/airflow against a coordinator, as Airflow would.

Usage: check.py TENFOLD, where TENFOLD is the binary. Two names of Airflow are stood in for.
"""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import types
from datetime import datetime, timezone

import jinja2

ROOT = pathlib.Path(__file__).parents[2]
PROJECT = """\
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales/
    format: csv
    types: {customer: int64, day: date, amount: "decimal(12,2)"}
    customer: customer
    time: day
    event_id: id
    measures:
      revenue: {column: amount, currency: EUR}
clv: {source: sales, value: revenue, models: [bg_nbd], holdout: none}
deciles:
  - measure: revenue
"""


class Dag:
    def __init__(self, dag_id, **_):
        self.dag_id = dag_id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class BashOperator:
    def __init__(self, task_id, bash_command, **options):
        self.task_id, self.bash_command, self.options = task_id, bash_command, options


def load_dag():
    """The module of the example, with stand-ins for what it imports."""
    sdk = types.ModuleType("airflow.sdk")
    sdk.DAG = Dag
    bash = types.ModuleType("airflow.providers.standard.operators.bash")
    bash.BashOperator = BashOperator
    for name in ("airflow", "airflow.providers", "airflow.providers.standard", "airflow.providers.standard.operators"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules.update({sdk.__name__: sdk, bash.__name__: bash})
    spec = importlib.util.spec_from_file_location("example", ROOT / "examples/airflow/tenfold_nightly.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command_of(module, end):
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["ds"] = lambda moment: moment.strftime("%Y-%m-%d")
    template = environment.from_string(module.refresh.bash_command)
    return template.render(dag=module.dag, data_interval_end=end, run_id=f"scheduled__{end.isoformat()}")


def write_project(folder):
    (folder / "sales").mkdir()
    (folder / "tenfold.yaml").write_text(PROJECT)
    rows = ["id,customer,day,amount"]
    for number in range(1200):
        day = f"2026-{1 + number % 2:02}-{1 + number * 7 % 28:02}"
        rows.append(f"{number},{number * 31 % 150},{day},{10 + number % 90}.50")
    (folder / "sales/1.csv").write_text("\n".join(rows) + "\n")


def main(binary):
    binary = str(pathlib.Path(binary).resolve())
    module = load_dag()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_project(folder)
        (folder / "bin").mkdir()
        (folder / "bin/tenfold").symlink_to(binary)
        up = subprocess.Popen(
            [binary, "up", "--workers", "1", "--listen", "127.0.0.1:0", "--shards", "2", "-p", name],
            stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"},
        )
        try:
            for line in up.stderr:
                found = re.search(r"in office.*address=(\S+)|address=(\S+).*in office", line)
                if found:
                    break
            address = found.group(1) or found.group(2)
            check(module, {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "TENFOLD_ADDR": address})
        finally:
            up.terminate()
            up.communicate()
    print("airflow: the command of the example submits once and waits")


def check(module, environment):
    def run(command):
        ended = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()[-1]

    def shown(run_id):
        return json.loads(subprocess.run(["bash", "-c", f"tenfold run get {run_id} -o json"], env=environment,
                                         check=True, capture_output=True, text=True).stdout)

    night = command_of(module, datetime(2026, 3, 1, 2, tzinfo=timezone.utc))
    first = run(night)
    seen = shown(first)
    assert seen["state"] == "succeeded" and seen["as_of"] == "2026-03-01", seen
    assert seen["idempotency_key"] == "airflow-tenfold_nightly-2026-03-01", seen
    assert run(night) == first, "a retry made a second run"
    second = run(command_of(module, datetime(2026, 3, 2, 2, tzinfo=timezone.utc)))
    assert second != first and shown(second)["snapshot"] == 2


if __name__ == "__main__":
    main(sys.argv[1])

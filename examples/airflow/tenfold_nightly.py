"""A nightly refresh by a Tenfold coordinator, as a DAG of Airflow 3.

Airflow decides when and in which order; the coordinator runs the refresh. The idempotency key is made of the DAG and
the end of the night's interval, so a task that Airflow tries again finds the run that it submitted before: it waits for
it while it runs, tries it again in place when it failed, and never makes a second one.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

REFRESH = """\
tenfold submit \
  --as-of {{ data_interval_end | ds }} \
  --idempotency-key airflow-{{ dag.dag_id }}-{{ data_interval_end | ds }} \
  --label airflow_run={{ run_id | replace('=', '-') }} \
  --run-timeout 5h \
  --wait --timeout 6h \
  --output name
"""

with DAG(
    dag_id="tenfold_nightly",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    tags=["tenfold"],
) as dag:
    refresh = BashOperator(
        task_id="refresh",
        bash_command=REFRESH,
        # Of the worker's environment: TENFOLD_ADDR, and TENFOLD_TOKEN_FILE or TENFOLD_CLIENT_CERT and
        # TENFOLD_CLIENT_KEY, with TENFOLD_CA.
        append_env=True,
        execution_timeout=timedelta(hours=6, minutes=10),
        # The last line of output, which is the run, goes to the tasks that follow.
        do_xcom_push=True,
    )

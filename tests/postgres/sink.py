"""A PostgreSQL gets snapshots by `tenfold publish postgres`.

Usage: sink.py TENFOLD_BINARY STORE

The store has at least three snapshots. It starts a PostgreSQL of its own, by its Debian package or whatever
`initdb` is there; without one it says so and ends well.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

from server import PostgreSQL


def main(binary, store):
    if not PostgreSQL.binaries():
        print("PostgreSQL is not installed: nothing was loaded")
        return
    with PostgreSQL() as database:
        run(binary, store, database)
        declared(binary, database)


def run(binary, store, database):
    environment = {**os.environ, "TENFOLD_POSTGRES_URL": database.address()}

    def publish(*options, wrong=None):
        command = [binary, "publish", "postgres", "--store", store, *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        if wrong:
            assert done.returncode != 0 and wrong in done.stderr, done.stderr
        else:
            assert done.returncode == 0, done.stderr
        return done.stdout

    def expected(table, at):
        sql = f"SELECT count(*) FROM {table}"
        command = [binary, "sql", sql, "--store", store, "--at", str(at), "-o", "csv"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(done.stdout.splitlines()[-1])

    client = psycopg.connect(database.address(), autocommit=True)

    def ask(sql):
        return client.execute(sql).fetchall()

    publish("--at", "1")
    assert ask("SELECT snapshot FROM tenfold.published") == [(1,)]
    assert ask("SELECT count(*) FROM insights.customer_value") == [(expected("customer_value", 1),)]
    money = ask("SELECT sum(revenue_lifetime) FROM insights.customer_value")[0][0]
    command = [binary, "sql", "SELECT sum(revenue_lifetime) FROM customer_value", "--store", store, "--at", "1", "-o", "csv"]
    assert str(money) == subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]

    # Keys, references and comments.
    kinds = dict(ask("SELECT contype::text, count(*) FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace "
                     "WHERE n.nspname = 'insights' GROUP BY 1"))
    assert kinds["p"] >= 2 and kinds["u"] >= 2 and kinds["f"] >= 3, kinds
    assert ask("SELECT obj_description('insights.customer_value'::regclass)")[0][0]
    assert ask("SELECT col_description('insights.customer_value'::regclass, 1)")[0][0]

    # The same again changes nothing.
    before = ask("SELECT 'insights.customer_value'::regclass::oid, loaded_at FROM tenfold.published")
    assert "unchanged" in publish("--at", "1")
    assert ask("SELECT 'insights.customer_value'::regclass::oid, loaded_at FROM tenfold.published") == before

    # Others keep what they may; and never see tables of two snapshots.
    client.execute("CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA insights TO reader")
    client.execute("GRANT SELECT ON ALL TABLES IN SCHEMA insights TO reader")
    # Also when other tables are loaded no more.
    publish("--at", "1", "--table", "customer_value", "--table", "dim_date")
    assert ask("SELECT tablename::text, has_table_privilege('reader', 'insights.' || tablename, 'SELECT') "
               "FROM pg_tables WHERE schemaname = 'insights' ORDER BY 1") == [("customer_value", True), ("dim_date", True)]
    publish("--at", "1")
    client.execute("GRANT SELECT ON ALL TABLES IN SCHEMA insights TO reader")
    mixes, reads, stop = [], [], threading.Event()

    def read():
        address = database.address().replace("owner@", "reader@")
        with psycopg.connect(address) as other:
            while not stop.is_set():
                with other.transaction():
                    one = other.execute("SELECT max(snapshot_date) FROM insights.fact_value_by_decile").fetchone()
                    two = other.execute("SELECT max(snapshot_date) FROM insights.fact_model_quality").fetchone()
                    both = other.execute(
                        "SELECT (SELECT max(snapshot_date) FROM insights.fact_model_quality), "
                        "(SELECT max(snapshot_date) FROM insights.fact_value_by_decile)"
                    ).fetchone()
                reads.append(one)
                if {one, two} != {one} or set(both) != {one[0]}:
                    mixes.append((one, two, both))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in (2, 3, 2, 3):
        publish("--at", str(number), "--older")
    stop.set()
    for reader in readers:
        reader.join()
    assert not mixes, mixes[:3]
    assert len(set(reads)) > 1, "the readers saw one snapshot alone"

    # An older one does not take the place of a newer one by itself.
    publish("--at", "2", wrong="E2318")
    assert ask("SELECT snapshot FROM tenfold.published") == [(3,)]

    # A load that is killed leaves what was there, and the next one goes through.
    for pause in (0.05, 0.3, 0.6, 1.0):
        killed = subprocess.Popen([binary, "publish", "postgres", "--store", store, "--at", "2", "--older"],
                                  env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        killed.kill()
        killed.wait()
        ((number,),) = ask("SELECT snapshot FROM tenfold.published")
        assert ask("SELECT count(*) FROM insights.customer_value") == [(expected("customer_value", number),)]
    publish()
    assert ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'insights_loading'") == [(0,)]

    # Chosen tables go into a schema of their own; somebody else's table is not touched.
    publish("--schema", "few", "--table", "customer_value", "--table", "dim_date")
    assert ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'few'") == [(2,)]
    client.execute("CREATE SCHEMA own; CREATE TABLE own.dim_date (mine int)")
    publish("--schema", "own", wrong="was not made by a load")
    assert ask("SELECT count(*) FROM own.dim_date") == [(0,)]
    client.execute("CREATE SCHEMA other_loading; CREATE TABLE other_loading.kept (mine int)")
    publish("--schema", "other", wrong="already exists")
    assert ask("SELECT count(*) FROM other_loading.kept") == [(0,)]
    publish("--schema", "s" * 56, wrong="too long")
    publish("--table", "nothing", wrong="E2217")

    # A process that follows loads what is published.
    client.execute("DROP SCHEMA few CASCADE; DELETE FROM tenfold.published WHERE schema = 'few'")
    following = subprocess.Popen([binary, "publish", "postgres", "--store", store, "--schema", "few", "--follow"],
                                 env=environment, stderr=subprocess.DEVNULL)
    begun = time.monotonic()
    while not ask("SELECT 1 FROM tenfold.published WHERE schema = 'few'"):
        assert time.monotonic() - begun < 120, "nothing was loaded"
        time.sleep(0.1)
    following.terminate()
    assert following.wait(timeout=60) == 0
    client.close()
    print(f"PostgreSQL: loaded, again, killed, followed; {len(reads)} reads of {len(set(reads))} snapshots, none mixed")


SHOP = """
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales/
    format: csv
    types: {customer: int64, day: date, points: int64}
    customer: customer
    time: day
    measures: {points: {column: points}}
deciles: [{measure: points, lookbacks: [lifetime]}]
publish:
  postgres: {url: {env: SHOP_DATABASE}, schema: shop, tables: [customer_value, dim_date]}
"""


def declared(binary, database):
    """A project that declares the database has each snapshot loaded by whoever publishes it."""
    client = psycopg.connect(database.address(), autocommit=True)

    def loaded():
        there = client.execute("SELECT to_regclass('shop.customer_value') IS NOT NULL").fetchone()[0]
        if not there:
            return None
        number = client.execute("SELECT snapshot FROM tenfold.published WHERE schema = 'shop'").fetchone()[0]
        return number, client.execute("SELECT count(*) FROM shop.customer_value").fetchone()[0]

    with tempfile.TemporaryDirectory() as project:
        os.mkdir(f"{project}/sales")
        with open(f"{project}/tenfold.yaml", "w") as file:
            file.write(SHOP)

        def refresh(day, customers, **environment):
            with open(f"{project}/sales/{day}.csv", "w") as file:
                file.write("customer,day,points\n")
                file.writelines(f"{customer},2024-01-{day:02},5\n" for customer in customers)
            done = subprocess.run([binary, "refresh", "-p", project, "--as-of", "2024-02-01", "--shards", "2"],
                                  env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            return done.stderr

        said = refresh(1, range(10), SHOP_DATABASE=database.address())
        assert "snapshot 1 was loaded into PostgreSQL" in said, said
        assert loaded() == (1, 10)
        # A refresh that cannot load publishes and says so; the coordinator loads what is the newest then.
        said = refresh(2, range(20))
        assert "PostgreSQL was not loaded" in said and "SHOP_DATABASE" in said, said
        assert loaded() == (1, 10)
        coordinator = subprocess.Popen([binary, "coordinator", "-p", project, "--listen", "127.0.0.1:0"],
                                       env={**os.environ, "SHOP_DATABASE": database.address()},
                                       stderr=subprocess.DEVNULL)
        begun = time.monotonic()
        while loaded() != (2, 20):
            assert time.monotonic() - begun < 120, "nothing was loaded"
            time.sleep(0.1)
        coordinator.terminate()
        assert coordinator.wait(timeout=60) == 0
    client.close()
    print("PostgreSQL: loaded by a refresh and by a coordinator of a project that declares it")


main(*sys.argv[1:])

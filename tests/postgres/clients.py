"""Clients of PostgreSQL ask `tenfold serve`: psql, psycopg 3, psycopg2, SQLAlchemy, asyncpg, pgjdbc.

Usage: clients.py TENFOLD_BINARY STORE

The store has at least two snapshots. psql and pgjdbc are left out, with a word, where they are not
installed. `.ci/run` makes the environment; by hand: python3 -m venv DIR, pip install -r requirements.txt.
"""

import asyncio
import datetime
import decimal
import os
import shutil
import subprocess
import sys
import tempfile

import asyncpg
import psycopg
import psycopg2
import sqlalchemy

from server import Tenfold

VALUES = """SELECT customer, revenue_lifetime, first_purchase, decile_clv_12m, p_alive, clv_12m
            FROM customer_value ORDER BY customer LIMIT 50"""
TYPES = """SELECT NULL, true, 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 1.25::numeric(10,2), 'x'::text,
           date '2026-01-01', timestamp '2026-01-01 01:02:03.5', timestamptz '2026-01-01 00:00:00+00',
           interval '1 day 2 hours', ARRAY[1,NULL], ARRAY['a','b c']"""
ENDLESS = """SELECT sum(a.value + b.value) FROM generate_series(1, 100000) a
             CROSS JOIN generate_series(1, 10000000000) b"""
STATES = {
    "SELECT nothing FROM customer_value": "42703",
    "SELECT * FROM nothing": "42P01",
    "SELEC 1": "42601",
    "SELECT 1/0": "22012",
    "SELECT 'a'::int": "22P02",
    "SELECT nothing(1)": "42883",
    "SHOW nothing": "42704",
    "DELETE FROM customer_value": "25006",
    "CREATE TABLE a (b int)": "25006",
    "DROP TABLE customer_value": "25006",
    "COPY customer_value FROM STDIN": "25006",
    "SET tenfold.snapshot = '-1'": "22023",
}


DESCRIBES = """d d+ dS dS+ dt dt+ dtS di di+ diS dv dv+ dvS dm dm+ ds ds+ dE dE+ dn dn+ du du+ dg dg+ l l+ df df+ da dT dT+ dA dA+
             dAc dAf dAo dAp db db+ dc dC dd dD ddp des dew det deu dF dFd dFp dFt dl dL dL+ do dO dp z dP drds dRp dRs
             dRs+ dx dX dy dconfig conninfo encoding"""


def with_psycopg(dsn):
    with psycopg.connect(dsn, autocommit=True) as client:
        def ask(sql, values=None, **options):
            return client.execute(sql, values, **options).fetchall()

        assert ask(VALUES) == ask(VALUES, binary=True)
        assert ask(TYPES) == ask(TYPES, binary=True)
        assert ask(TYPES)[0] == (
            None, True, 1, 2, 3, 1.5, 2.5, decimal.Decimal("1.25"), "x", datetime.date(2026, 1, 1),
            datetime.datetime(2026, 1, 1, 1, 2, 3, 500000),
            datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
            datetime.timedelta(days=1, hours=2), [1, None], ["a", "b c"],
        )
        everybody = ask("SELECT count(*) FROM customer_value")
        below = "SELECT count(*) FROM customer_value WHERE first_purchase < %s AND revenue_lifetime > %s"
        bought = ask("SELECT count(*) FROM customer_value WHERE first_purchase < date '2026-01-01' AND revenue_lifetime > 0.01")
        assert ask(below, [datetime.date(2026, 1, 1), decimal.Decimal("0.01")]) == bought
        two = ask("SELECT count(*) FROM customer_value WHERE decile_clv_12m IN (1, 2)")
        assert ask("SELECT count(*) FROM customer_value WHERE decile_clv_12m = ANY(%s)", [[1, 2]]) == two
        assert ask("SELECT %s || 'x', %s + %s, %s IS NULL, %s", ["a'b\\", 1, 2, None, True]) == [("a'b\\x", 3, True, True)]
        small, large = decimal.Decimal("1E-7"), decimal.Decimal("-1.5E+3")
        assert ask("SELECT %s, %s", [small, large]) == [(small, large)]
        assert ask("SELECT %s = ANY(%s), 0 = ANY(%s)", [small, [small, large], [small]]) == [(True, False)]
        assert ask("SELECT '42' = ANY(%s), '042' = ANY(%s), 'r' = ANY('{r,v}'::text[])", [["42"], ["42"]]) == [(True, False, True)]
        deciles = ask("SELECT decile_clv_12m, count(*) FROM customer_value GROUP BY 1 ORDER BY count DESC")
        assert [row[1] for row in deciles] == sorted((row[1] for row in deciles), reverse=True), deciles
        assert len(ask("SELECT customer FROM customer_value ORDER BY 1 LIMIT %s", [2])) == 2
        for sql, state in STATES.items():
            try:
                ask(sql)
            except psycopg.Error as error:
                assert error.sqlstate == state, (sql, error.sqlstate)
            else:
                raise AssertionError(f"{sql} is answered")
        for deep in (" + 1", " AND true", " UNION ALL SELECT 1"):
            try:
                ask(f"SELECT {'true' if 'AND' in deep else 1}{deep * 1990}")
            except psycopg.Error:
                pass
        assert ask("SELECT 1") == [(1,)], "a deep query ends nothing but itself"
        client.execute("SET timezone = 'Asia/Kolkata'")
        assert ask("SELECT now()")[0][0].utcoffset() == datetime.timedelta(hours=5, minutes=30)
        client.execute("RESET timezone")
        client.execute("SET tenfold.snapshot = '1'")
        ask("SELECT 1")
        assert client.info.parameter_status("tenfold.snapshot_number") == "1"
        client.execute("RESET ALL")
        client.execute("SET statement_timeout = '300ms'")
        try:
            ask(ENDLESS)
        except psycopg.errors.QueryCanceled:
            client.execute("RESET statement_timeout")
        else:
            raise AssertionError("a query without end has ended")
        with client.pipeline():
            one, other = client.execute("SELECT 1"), client.execute("SELECT 2")
            assert (one.fetchone(), other.fetchone()) == ((1,), (2,))
        with client.cursor() as cursor:
            with cursor.copy("COPY (SELECT customer, NULL, E'a\\tb' FROM customer_value ORDER BY 1 LIMIT 1) TO STDOUT") as copy:
                (row,) = copy.rows()
                assert row[1:] == (None, "a\tb"), row
    with psycopg.connect(dsn) as client:
        with client.cursor("named") as cursor:
            cursor.itersize = 10
            cursor.execute("SELECT customer FROM customer_value")
            assert len(cursor.fetchall()) == everybody[0][0]
        client.rollback()
        with client.transaction():
            try:
                with client.transaction():
                    client.execute("SELECT nothing")
            except psycopg.errors.UndefinedColumn:
                pass
            assert client.execute("SELECT 2").fetchone() == (2,)
    return everybody[0][0]


def with_psycopg2(dsn, everybody):
    client = psycopg2.connect(dsn)
    with client.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM customer_value WHERE first_purchase < %s AND decile_clv_12m = ANY(%s)",
            [datetime.date(2999, 1, 1), list(range(1, 11))],
        )
        assert cursor.fetchone()[0] <= everybody
    client.commit()
    held = client.cursor("held", withhold=True)
    held.execute("SELECT customer FROM customer_value")
    client.commit()
    assert len(held.fetchall()) == everybody
    held.close()
    client.close()


def with_sqlalchemy(port, driver, everybody):
    engine = sqlalchemy.create_engine(f"postgresql+{driver}://jane@127.0.0.1:{port}/tenfold")
    look = sqlalchemy.inspect(engine)
    assert "insights" in look.get_schema_names()
    assert "customer_value" in look.get_table_names()
    assert look.get_view_names() == []
    columns = {column["name"]: column for column in look.get_columns("customer_value")}
    assert str(columns["events"]["type"]) == "BIGINT"
    assert str(columns["revenue_lifetime"]["type"]) == "NUMERIC(18, 2)"
    assert columns["clv_12m"]["comment"]
    assert look.get_pk_constraint("customer_value")["constrained_columns"] == ["customer"]
    (reference,) = [key for key in look.get_foreign_keys("customer_value") if key["constrained_columns"] == ["last_purchase"]]
    assert (reference["referred_table"], reference["referred_columns"]) == ("dim_date", ["date"])
    (unique,) = look.get_unique_constraints("fact_value_by_decile")
    assert unique["column_names"] == ["measure", "lookback", "dimension_value", "decile"]
    (index,) = look.get_indexes("fact_value_by_decile")
    assert index["column_names"] == unique["column_names"] and index["unique"]
    assert look.get_check_constraints("customer_value") == []
    assert look.get_table_comment("customer_value")["text"]
    assert look.has_table("customer_value") and not look.has_table("nothing")
    every = sqlalchemy.MetaData()
    every.reflect(engine)
    value = every.tables["customer_value"]
    with engine.connect() as client:
        query = sqlalchemy.select(sqlalchemy.func.count()).where(value.c.events >= -10**15)
        assert client.execute(query).scalar() == everybody
    engine.dispose()


async def with_asyncpg(port, everybody):
    client = await asyncpg.connect(host="127.0.0.1", port=port, user="jane", database="tenfold")
    below = "SELECT count(*) FROM customer_value WHERE (first_purchase < $1 OR first_purchase IS NULL) AND events >= $2"
    assert await client.fetchval(below, datetime.date(2999, 1, 1), -10**15) == everybody
    assert await client.fetchval("SELECT $1::bigint + 1", 5) == 6
    assert await client.fetchval("SELECT $1::text || 'x'", "a") == "ax"
    async with client.transaction():
        rows = [row async for row in client.cursor("SELECT customer FROM customer_value", prefetch=10)]
        assert len(rows) == everybody
    try:
        await client.fetch(ENDLESS, timeout=0.5)
    except asyncio.TimeoutError:
        pass
    assert await client.fetchval("SELECT 1") == 1
    await client.reset()
    await client.close()


def with_psql(port, everybody):
    if not shutil.which("psql"):
        return "psql is not installed"
    command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "jane", "tenfold"]

    def ask(*texts, **environment):
        asked = [part for text in texts for part in ("-c", text)]
        environment = {**os.environ, **environment}
        done = subprocess.run([*command, *asked], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (texts, done.stderr)
        return done.stdout

    assert f" {everybody}\n" in ask("SELECT count(*) FROM customer_value")
    # What psql asks for by itself on a terminal whose locale names no encoding.
    assert "SQL_ASCII" in ask("SHOW client_encoding", PGCLIENTENCODING="SQL_ASCII")
    assert "customer_value" in ask("\\dt")
    described = ask("\\d customer_value")
    for part in ("bigint", "numeric(18,2)", '"customer_value_pkey" PRIMARY KEY, btree (customer)', "REFERENCES insights.dim_date(date)"):
        assert part in described, described
    assert "key of the customer" in ask("SELECT col_description('customer_value'::regclass, 1)")
    more = ask("\\d+ customer_value")
    assert "key of the customer" in more and '"customer_value_pkey" PRIMARY KEY, btree (customer)' in more, more
    assert "primary key, btree, for table" in ask("\\d customer_value_pkey")
    assert "customer_value_pkey" in ask("\\di") and "customer_value_pkey" in ask("\\di+")
    # Every command of psql that describes something is answered, be it with nothing.
    for text in DESCRIBES.split():
        ask(f"\\{text}")
    for text in ("\\d fact_value_by_decile", "\\d+ fact_value_by_decile", "\\d+ customer_value_pkey", "\\dt+ insights.*",
                 "\\di customer*", "\\dp customer_value"):
        ask(text)
    copied = ask("\\copy (SELECT customer FROM customer_value) TO STDOUT CSV HEADER")
    assert len(copied.splitlines()) == everybody + 1


def with_jdbc(port, everybody):
    jar = next((jar for jar in ("/usr/share/java/postgresql.jar",) if os.path.exists(jar)), None)
    if not jar or not shutil.which("java"):
        return "Java or pgjdbc (libpostgresql-jdbc-java) is not installed"
    source = os.path.join(os.path.dirname(__file__), "Clients.java")
    address = f"jdbc:postgresql://127.0.0.1:{port}/tenfold"
    done = subprocess.run(["java", "-cp", jar, source, address, str(everybody)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def with_password_and_tls(binary, store):
    """What every client does beyond this machine: SCRAM over TLS whose certificate is checked."""
    if not shutil.which("openssl"):
        return "openssl is not installed"
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", path("key.pem"), "-out", path("cert.pem")],
            check=True, capture_output=True,
        )
        made = subprocess.run(
            [binary, "token", "new", "metabase", "--role", "viewer", "--file", path("tokens"), "--pg-passwords", path("passwords")],
            check=True, capture_output=True, text=True,
        )
        password = made.stdout.strip()
        options = ["--tls-cert", path("cert.pem"), "--tls-key", path("key.pem"), "--tokens", path("tokens")]
        refused = subprocess.run(
            [binary, "serve", "--store", store, "--sql-listen", "127.0.0.1:0", "--pg-listen", "0.0.0.0:0", *options],
            capture_output=True, text=True, timeout=60,
        )
        assert refused.returncode != 0 and "E2403" in refused.stderr, refused.stderr
        with Tenfold(binary, store, *options, "--pg-passwords", path("passwords")) as server:
            address = dict(host="127.0.0.1", port=server.port, user="metabase", dbname="tenfold", sslrootcert=path("cert.pem"))
            for library in (psycopg, psycopg2):
                client = library.connect(**address, password=password, sslmode="verify-full")
                cursor = client.cursor()
                cursor.execute("SELECT current_user")
                assert cursor.fetchone() == ("metabase",)
                client.close()
                for wrong in (dict(password="other", sslmode="verify-full"), dict(password=password, sslmode="disable")):
                    try:
                        library.connect(**address, **wrong)
                    except library.OperationalError as error:
                        assert "authentication" in str(error) or "TLS" in str(error), error
                    else:
                        raise AssertionError(wrong)


def main(binary, store):
    with Tenfold(binary, store) as server:
        port = server.port
        dsn = f"host=127.0.0.1 port={port} user=jane dbname=tenfold"
        everybody = with_psycopg(dsn)
        print(f"psycopg: {everybody} customers, in text and binary")
        with_psycopg2(dsn, everybody)
        print("psycopg2: done")
        for driver in ("psycopg2", "psycopg"):
            with_sqlalchemy(port, driver, everybody)
            print(f"SQLAlchemy over {driver}: done")
        asyncio.run(with_asyncpg(port, everybody))
        print("asyncpg: done")
        print("psql:", with_psql(port, everybody) or "done")
        print("pgjdbc:", with_jdbc(port, everybody) or "done")
    print("SCRAM and TLS:", with_password_and_tls(binary, store) or "done")


main(*sys.argv[1:])

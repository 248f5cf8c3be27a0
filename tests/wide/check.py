#!/usr/bin/env python3
"""User tables over several machines: the same to the byte as on one thread, whatever dies meanwhile.

Usage: check.py TENFOLD_BINARY [SCENARIO ...]

The binary is one of a build with `--features ballista`. Without names all scenarios run, in their order; `check.py
TENFOLD_BINARY list` says which there are. Python's standard library suffices.

Nothing here waits for a time: what is to be disturbed is seen in what the processes say. Two variables change how
much there is to do: TENFOLD_WIDE_CUSTOMERS, which the pairs of the long statement grow with the square of, and
TENFOLD_WIDE_SECONDS, after which a scenario has failed, its processes are killed, and the ends of what they said are shown.
"""

import copy
import datetime
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "clouds"))
import gcs  # noqa: E402, beside this folder

AS_OF = "2024-03-01"
CUSTOMERS = int(os.environ.get("TENFOLD_WIDE_CUSTOMERS", "4000"))
SECONDS = int(os.environ.get("TENFOLD_WIDE_SECONDS", "180"))
# The stage of tables of `long.sql` that tries pairs: the two before it shuffle what it reads.
PAIRS_STAGE = 3
TAIL = 40

# Ballista says of each part of a statement where it is computed: job, stage, attempt at it; part, attempt at it.
PART = re.compile(r"Received task: \[TID (\w+)/(\d+)\.(\d+)/(\d+)\.(\d+)\]")
LOG = "warn,buoyant_kernel=off,tenfold=info,tenfold_coordinator=info,tenfold_worker=info,ballista_executor=info"


class Failed(Exception):
    """What a scenario found wrong."""


class Skipped(Exception):
    """What is missing here."""


def holds(what, condition):
    if not condition:
        raise Failed(what)


class Process:
    """A process and what it says, line by line."""

    every = []

    def __init__(self, name, command, environment):
        self.name = name
        self.said = []
        self.ended = False
        self.news = threading.Condition()
        self.child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace")
        threading.Thread(target=self.listen, daemon=True).start()
        Process.every.append(self)

    def listen(self):
        for line in self.child.stdout:
            with self.news:
                self.said.append(line.rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def says(self, found, what):
        """The first line of which `found` gives something, and that."""
        seen = 0
        with self.news:
            while True:
                for line in self.said[seen:]:
                    value = found(line)
                    if value:
                        return value
                seen = len(self.said)
                holds(f"{self.name} ended before it said {what}", not self.ended)
                self.news.wait()

    def says_text(self, text):
        return self.says(lambda line: line if text in line else None, repr(text))

    def parts(self):
        """The parts of statements that it was given."""
        with self.news:
            said = list(self.said)
        return [tuple(found.groups()) for found in map(PART.search, said) if found]

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        self.child.kill()
        self.child.wait()

    @classmethod
    def kill_all(cls):
        for process in reversed(cls.every):
            if process.child.poll() is None:
                process.kill()

    @classmethod
    def tails(cls):
        for process in cls.every:
            with process.news:
                lines = process.said[-TAIL:]
            print(f"--- {process.name}, its last {len(lines)} lines", file=sys.stderr)
            for line in lines:
                print(line[:500], file=sys.stderr)


class Lake:
    """A store in a bucket of a double of Google Cloud Storage, which processes may reach by servers of their own."""

    STORE = "gs://lake/store"

    def __init__(self, folder):
        self.folder = folder
        self.bucket = gcs.Bucket("lake")

    def reached(self, name, handler=gcs.Handler):
        """What a process has in its environment that reaches it by a server of its own."""
        server = self.bucket.server(0, handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        account = {
            "gcs_base_url": f"http://127.0.0.1:{server.server_port}", "disable_oauth": True, "client_email": "",
            "private_key": "", "private_key_id": "",
        }
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(account))
        return {"GOOGLE_SERVICE_ACCOUNT": str(file), "GOOGLE_ALLOW_HTTP": "true"}

    def read(self, location):
        return self.bucket.objects[location.removeprefix(f"gs://{self.bucket.name}/")][0]


def holds_rows(asked, status):
    """Whether an answer would hold rows of a table."""
    _, name, _ = asked.where()
    return asked.command == "GET" and status < 300 and name.endswith(".parquet")


class Disturbed(gcs.Handler):
    """Answers that would hold rows are these, and what they should be when none is left."""

    faults = []

    def answer(self, status, body=b"", headers=()):
        fault = None
        if holds_rows(self, status):
            with self.bucket.lock:
                fault = self.faults.pop(0) if self.faults else None
        if fault == "half of it":
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", str(len(body)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:len(body) // 2])
            self.close_connection = True
        elif fault:
            super().answer(fault)
        else:
            super().answer(status, body, headers)


class Held(gcs.Handler):
    """Answers that would hold rows wait until they are let go."""

    let_go = threading.Event()

    def answer(self, status, body=b"", headers=()):
        if holds_rows(self, status):
            self.let_go.wait()
        super().answer(status, body, headers)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # who asked has given up waiting


def read_file(location):
    return pathlib.Path(location).read_bytes()


class Tenfold:
    """The program, with nothing of the environment that it would listen to."""

    def __init__(self, binary, work):
        self.binary = binary
        self.work = work
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TENFOLD_")}
        # A worker that is killed leaves its temporary files behind.
        temporary = work / "tmp"
        temporary.mkdir()
        self.environment.update(
            TENFOLD_CONFIG="", TENFOLD_LOG=LOG, NO_COLOR="1", TMPDIR=str(temporary))

    def within(self, environment):
        """The same with more in its environment."""
        other = copy.copy(self)
        other.environment = {**self.environment, **environment}
        return other

    def start(self, name, *arguments):
        return Process(name, [self.binary, *map(str, arguments)], self.environment)

    def answer(self, *arguments):
        """Exit code, standard output and standard error of a command."""
        done = subprocess.run(
            [self.binary, *map(str, arguments)], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True)
        holds(f"{arguments[0]} panicked:\n{done.stderr}", "panicked" not in done.stderr)
        return done.returncode, done.stdout, done.stderr

    def ask(self, *arguments):
        """Standard output of a command that has to succeed."""
        code, out, err = self.answer(*arguments)
        holds(f"{' '.join(map(str, arguments))} ended with {code}:\n{err}", code == 0)
        return out

    def refresh(self, project, store):
        arguments = ("refresh", "-p", project, "--store", store, "--as-of", AS_OF, "--shards", "4", "-o", "json")
        return json.loads(self.ask(*arguments))


def table_files():
    return sorted((HERE / "tables").glob("*.sql"))


def is_table(file):
    return "kind: view" not in file.read_text()


def sales():
    """Sales of some customers over fourteen months, the same every time."""
    draw = random.Random(7)
    begin = datetime.date(2023, 1, 1)
    lines = ["id,customer,day,amount,region"]
    for number in range(4 * CUSTOMERS):
        # Each customer once; then some more often than others.
        customer = number if number < CUSTOMERS else int(draw.random() * draw.random() * CUSTOMERS)
        day = begin + datetime.timedelta(days=draw.randrange(420))
        cents = draw.randrange(-500, 9_000)
        amount = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"
        region = draw.choice(["north", "south", "west", ""])
        lines.append(f"s{number},{customer},{day},{amount},{region}")
    return "\n".join(lines) + "\n"


def project(folder, engine, files):
    """A project whose tables are computed by an engine, whatever the head of one of them says."""
    (folder / "tables").mkdir(parents=True)
    (folder / "sales").mkdir()
    (folder / "sales/1.csv").write_text(sales())
    (folder / "tenfold.yaml").write_text((HERE / "tenfold.yaml").read_text() + f"engine: {engine}\n")
    for file in files:
        text = file.read_text().replace("engine: ballista", f"engine: {engine}")
        (folder / "tables" / file.name).write_text(text)
    return folder


class Published:
    """What the newest snapshot of a store holds of user tables."""

    def __init__(self, tenfold, store, names, read=read_file):
        manifest = json.loads(tenfold.ask("snapshot", "get", "--store", store, "-o", "json"))
        self.hash = manifest["snapshot_hash"]
        # In the order of the files, which is the order of the key.
        self.rows = {
            name: tenfold.ask("sql", f"SELECT * FROM {name}", "--store", store, "--threads", "1", "-o", "csv")
            for name in names
        }
        files = json.loads(tenfold.ask("snapshot", "files", "--store", store, "-o", "json"))
        self.files = {name: [] for name in names}
        for file in files:
            inside = file["location"].removeprefix(f"{store}/")
            folder, _, name = inside.partition("/")
            table = name.partition("/")[0]
            if folder == "tables" and table in self.files:
                self.files[table].append((inside, read(file["location"])))

    def is_same_as(self, expected):
        wrong = [f"table {name} {found}" for name in expected.rows if (found := self.difference(name, expected))]
        if self.hash != expected.hash:
            wrong.append("the snapshot has another hash")
        holds("\n".join(wrong), not wrong)

    def difference(self, name, expected):
        """What is wrong with a table; nothing when it is right."""
        found, right = self.rows[name].splitlines(), expected.rows[name].splitlines()
        if len(right) < 2 or not expected.files[name]:
            return "has no rows, so it tells nothing"
        if found != right:
            unequal = [place for place, (a, b) in enumerate(zip(found, right)) if a != b]
            first = unequal[0] if unequal else min(len(found), len(right))
            return (f"has {len(found) - 1} rows where {len(right) - 1} are right; line {first + 1} is "
                    f"{found[first:first + 1]} where {right[first:first + 1]} is right")
        if self.files[name] != expected.files[name]:
            return "has the right rows in files with other bytes"
        return None


class Certificates:
    """An authority, and certificates of a coordinator, of workers and of an operator, as docs/security.md makes them."""

    # Other workers reach a worker by its address, so that is among its names.
    NAMES = {
        "coordinator": "IP:127.0.0.1", "worker": "DNS:worker.tenfold,IP:127.0.0.1", "operator": "DNS:operator.tenfold",
    }
    KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def __init__(self, folder):
        self.folder = folder
        self.openssl("req", "-x509", *self.KEY, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
        for name, names in self.NAMES.items():
            self.openssl("req", *self.KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            usage = f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
            (folder / f"{name}.ext").write_text(usage)
            self.openssl(
                "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def of_server(self):
        return ("--tls-cert", self.folder / "coordinator.pem", "--tls-key", self.folder / "coordinator.key",
                "--client-ca", self.folder / "ca.pem")

    def of_client(self, name):
        return ("--ca", self.folder / "ca.pem", "--client-cert", self.folder / f"{name}.pem",
                "--client-key", self.folder / f"{name}.key")


class Cluster:
    """A coordinator and its workers as processes."""

    def __init__(self, tenfold, project, store, verb="coordinator", certificates=None):
        self.tenfold = tenfold
        self.project = project
        self.store = store
        self.verb = verb
        self.certificates = certificates
        self.workers = {}
        self.address = "127.0.0.1:0"
        self.coordinate()

    def coordinate(self):
        """Starts the coordinator: at any port, and again where it was."""
        self.coordinator = self.tenfold.start(
            self.verb, self.verb, "-p", self.project, "--store", self.store, "--listen", self.address,
            "--lease-seconds", "5", "--shards", "4", *(self.certificates.of_server() if self.certificates else ()))
        office = re.compile(r"address=https?://(\S+) epoch=")
        found = self.coordinator.says(office.search, "that it is in office")
        self.address = found.group(1)

    def worker(self, name, takes_part=True, environment=None):
        wide = ("--wide-listen", "127.0.0.1:0", "--wide-memory", "256MiB") if takes_part else ()
        worker = self.tenfold.within(environment or {}).start(
            name, "worker", "--name", name, "--store", self.store, "--threads", "1", *self.remote("worker"), *wide)
        if takes_part:
            worker.says_text("takes part in statements over several machines")
        self.workers[name] = worker
        return worker

    def remote(self, caller="operator"):
        """How somebody reaches the coordinator."""
        if self.certificates:
            return ("--address", f"https://{self.address}", *self.certificates.of_client(caller))
        return ("--address", f"http://{self.address}")

    def ask(self, *arguments):
        return self.tenfold.ask(*arguments, *self.remote())

    def lend_only(self, name):
        """Lets a worker take no task of its own: it computes parts of the statements of others."""
        code = None
        while code != 0:
            # It is not known before its first report.
            code, _, _ = self.tenfold.answer("worker", "drain", name, *self.remote())
            holds(f"{name} ended", not self.workers[name].ended)

    def submit(self):
        self.run = json.loads(self.ask("submit", "--as-of", AS_OF, "-o", "json"))["run"]

    def ends(self):
        """The run when it has ended, however that was."""
        _, out, err = self.tenfold.answer(
            "run", "wait", self.run, "--timeout", f"{SECONDS}s", "-o", "json", *self.remote())
        holds(f"the run is not over:\n{err}", out.strip())
        return json.loads(out)

    def succeeds(self):
        run = self.ends()
        holds(f"the run is {run['state']}: {run.get('problem')}", run["state"] == "succeeded")

    def parts(self):
        return [part for worker in self.workers.values() for part in worker.parts()]


class Scenarios:
    """Each one leaves nothing behind but its folder."""

    def __init__(self, tenfold):
        self.tenfold = tenfold
        self.expected = {}

    def folder(self, name):
        folder = self.tenfold.work / name
        folder.mkdir()
        return folder

    def projects(self, kind, engine):
        """The project of all tables, or of the long one alone."""
        folder = self.tenfold.work / f"{kind}-{engine}"
        if not folder.exists():
            files = table_files() if kind == "all" else [HERE / "long.sql"]
            project(folder, engine, files)
        return folder

    def names(self, kind):
        return [file.stem for file in table_files() if is_table(file)] if kind == "all" else ["long"]

    def right(self, kind):
        """What one thread computes."""
        if kind not in self.expected:
            store = self.tenfold.work / f"{kind}-expected"
            self.tenfold.refresh(self.projects(kind, "local"), store)
            self.expected[kind] = Published(self.tenfold, store, self.names(kind))
        return self.expected[kind]

    def compare(self, kind, store, tenfold=None, read=read_file):
        Published(tenfold or self.tenfold, store, self.names(kind), read).is_same_as(self.right(kind))

    def alone(self):
        """One process computes all tables by an executor of its own."""
        store = self.folder("alone") / "store"
        self.tenfold.refresh(self.projects("all", "ballista"), store)
        self.compare("all", store)
        return f"{len(self.names('all'))} tables"

    def workers(self):
        """A coordinator and two workers compute all tables."""
        cluster = Cluster(self.tenfold, self.projects("all", "ballista"), self.folder("workers") / "store")
        both = [cluster.worker("ada"), cluster.worker("ben")]
        cluster.submit()
        cluster.succeeds()
        self.compare("all", cluster.store)
        for worker in both:
            holds(f"{worker.name} computed no part", worker.parts())
        jobs = self.once_each(cluster)
        return f"{len(self.names('all'))} tables by {jobs} jobs"

    def up(self):
        """`tenfold up` takes part by itself."""
        store = self.folder("up") / "store"
        cluster = Cluster(self.tenfold, self.projects("long", "ballista"), store, verb="up")
        cluster.submit()
        cluster.succeeds()
        self.compare("long", store)
        return "2 workers in one process"

    def tls(self):
        """Workers fetch from each other by TLS, both sides with certificates; without them none listens for others."""
        if not shutil.which("openssl"):
            raise Skipped("there is no openssl here")
        folder = self.folder("tls")
        certificates = Certificates(folder)
        cluster = Cluster(self.tenfold, self.projects("long", "ballista"), folder / "store", certificates=certificates)
        both = [cluster.worker("ada"), cluster.worker("ben")]
        cluster.submit()
        cluster.succeeds()
        self.compare("long", cluster.store)
        for worker in both:
            holds(f"{worker.name} computed no part", worker.parts())
        code, _, err = self.tenfold.answer(
            "worker", "--store", cluster.store, "--wide-listen", "0.0.0.0:0", "--wide-advertise", "localhost")
        holds(f"it listens for everybody: {code}\n{err}", code == 1 and "--client-cert" in err)
        return "2 workers"

    def long_statement(self, name):
        """A cluster in which ada has the task of a long table, and ben computes parts of it alone."""
        self.right("long")
        cluster = Cluster(self.tenfold, self.projects("long", "ballista"), self.folder(name) / "store")
        cluster.worker("ben")
        cluster.lend_only("ben")
        cluster.worker("ada")
        cluster.submit()
        return cluster

    @staticmethod
    def one_computes(cluster, of_ben):
        """Begins a run in which ada has the tasks and ben computes all parts, with this in his environment."""
        ben = cluster.worker("ben", environment=of_ben)
        cluster.lend_only("ben")
        cluster.worker("ada", takes_part=False)
        cluster.submit()
        return ben

    def first_part(self, worker, stage):
        """Waits until a worker is given a part of a stage."""
        return worker.says(
            lambda line: (found := PART.search(line)) and int(found.group(2)) >= stage and found,
            f"that it has a part of stage {stage}")

    def once_each(self, cluster):
        """How many jobs there were; in none was anything computed a second time."""
        parts = cluster.parts()
        again = [part for part in parts if part[2] != "0" or part[4] != "0"]
        holds(f"Ballista computed these again: {again}", not again)
        holds("a part was given twice", len(set(parts)) == len(parts))
        return len({part[0] for part in parts})

    def ends_well(self, cluster):
        """The run succeeds with the right table, by a statement that began anew."""
        cluster.succeeds()
        jobs = self.once_each(cluster)
        self.compare("long", cluster.store)
        # Its rows and what they are checked by are a job each.
        holds(f"nothing began anew: {jobs} jobs", jobs > 2)
        return f"{jobs} jobs"

    def killed_early(self):
        """A worker is killed as soon as it computes a part of the first stages."""
        cluster = self.long_statement("killed-early")
        self.first_part(cluster.workers["ben"], 1)
        cluster.workers["ben"].kill()
        return self.ends_well(cluster)

    def killed_late(self):
        """A worker is killed in a later stage, which reads what it holds of the earlier ones."""
        cluster = self.long_statement("killed-late")
        self.first_part(cluster.workers["ben"], PAIRS_STAGE)
        cluster.workers["ben"].kill()
        return self.ends_well(cluster)

    def killed_twice(self):
        """A worker is killed, and the one that took its place as well."""
        cluster = self.long_statement("killed-twice")
        self.first_part(cluster.workers["ben"], 1)
        cluster.workers["ben"].kill()
        other = cluster.worker("cem")
        cluster.lend_only("cem")
        self.first_part(other, PAIRS_STAGE)
        other.kill()
        return self.ends_well(cluster)

    def killed_holder(self):
        """The worker that has the task is killed; another one takes the task over."""
        cluster = self.long_statement("killed-holder")
        self.first_part(cluster.workers["ada"], PAIRS_STAGE)
        cluster.workers["ada"].kill()
        cluster.ask("worker", "uncordon", "ben")
        return self.ends_well(cluster)

    def paused(self):
        """A worker stands still until it is given up, and then goes on."""
        cluster = self.long_statement("paused")
        ben = cluster.workers["ben"]
        self.first_part(ben, PAIRS_STAGE)
        ben.signal(signal.SIGSTOP)
        cluster.coordinator.says_text("an executor is lost")
        ben.signal(signal.SIGCONT)
        return self.ends_well(cluster)

    def coordinator(self):
        """The coordinator, and with it the scheduler, is killed and started again."""
        cluster = self.long_statement("coordinator")
        self.first_part(cluster.workers["ben"], PAIRS_STAGE)
        cluster.coordinator.kill()
        cluster.coordinate()
        return self.ends_well(cluster)

    def store(self):
        """The store does not answer a worker that computes parts, then in half, and then refuses: the refusal alone is a loss."""
        self.right("long")
        lake = Lake(self.folder("store"))
        faults = [503, "half of it", 403]
        disturbed = type("OfBen", (Disturbed,), {"faults": faults})
        tenfold = self.tenfold.within(lake.reached("everybody"))
        cluster = Cluster(tenfold, self.projects("long", "ballista"), lake.STORE)
        self.one_computes(cluster, lake.reached("ben", disturbed))
        cluster.succeeds()
        holds(f"the store never answered so: {faults}", not faults)
        # The first two are asked for again within a part, so the statement begins anew once.
        jobs = self.once_each(cluster)
        holds(f"{jobs} jobs where one was lost", jobs == 3)
        self.compare("long", cluster.store, cluster.tenfold, lake.read)
        return f"{jobs} jobs"

    def hung(self):
        """The store lets a part wait for ever: the statement is given up after its minute, and begins anew."""
        folder = self.folder("hung")
        lake, let_go = Lake(folder), threading.Event()
        projects = {}
        for engine in ("local", "ballista"):
            projects[engine] = project(folder / engine, engine, [HERE / "tables/filters.sql"])
            table = projects[engine] / "tables/filters.sql"
            table.write_text(table.read_text().replace("keys:", "timeout_minutes: 1\nkeys:"))
        self.tenfold.refresh(projects["local"], folder / "store")
        right = Published(self.tenfold, folder / "store", ["filters"])
        tenfold = self.tenfold.within(lake.reached("everybody"))
        cluster = Cluster(tenfold, projects["ballista"], lake.STORE)
        held = type("OfBen", (Held,), {"let_go": let_go})
        ben = self.one_computes(cluster, lake.reached("ben", held))
        first = self.first_part(ben, 1).group(1)
        ben.says(lambda line: (part := PART.search(line)) and part.group(1) != first, "that it has a part of another job")
        let_go.set()
        cluster.succeeds()
        jobs = self.once_each(cluster)
        Published(tenfold, lake.STORE, ["filters"], lake.read).is_same_as(right)
        return f"{jobs} jobs"

    def nobody(self):
        """No worker takes part: the run fails within a bound, and says so."""
        cluster = Cluster(self.tenfold, self.projects("long", "ballista"), self.folder("nobody") / "store")
        cluster.worker("ada", takes_part=False)
        cluster.worker("ben", takes_part=False)
        cluster.submit()
        run = cluster.ends()
        problem = run["problem"]
        holds(f"the run is {run['state']}", run["state"] == "failed")
        holds(f"another code than E2323: {problem}", problem["code"] == "E2323")
        holds(f"no remedy: {problem}", problem["remedy"])
        code, _, _ = self.tenfold.answer("snapshot", "get", "--store", cluster.store)
        holds("something was published", code == 3)
        return problem["message"].splitlines()[0]

    def refused(self):
        """A sum of floating-point numbers is refused where it is planned."""
        folder = project(self.folder("refused") / "project", "ballista", [HERE / "floats.sql"])
        store = folder / "store"
        code, out, err = self.tenfold.answer(
            "refresh", "-p", folder, "--store", store, "--as-of", AS_OF, "--shards", "4")
        holds(f"it ended with {code}:\n{out}{err}", code == 1)
        for text in ["error[E2118]", "tables/floats.sql:", "table floats", "sum(", "engine: local", "remedy:"]:
            holds(f"{text} is not in:\n{err}", text in err)
        code, _, _ = self.tenfold.answer("snapshot", "get", "--store", store)
        holds("something was published", code == 3)
        text = (folder / "tables/floats.sql").read_text()
        (folder / "tables/floats.sql").write_text(text.replace("engine: ballista", "engine: local"))
        self.tenfold.refresh(folder, store)
        return next(line for line in err.splitlines() if "error[" in line)


# In the order in which they run.
SCENARIOS = {
    "alone": Scenarios.alone,
    "up": Scenarios.up,
    "workers": Scenarios.workers,
    "tls": Scenarios.tls,
    "killed-early": Scenarios.killed_early,
    "killed-late": Scenarios.killed_late,
    "killed-twice": Scenarios.killed_twice,
    "killed-holder": Scenarios.killed_holder,
    "paused": Scenarios.paused,
    "coordinator": Scenarios.coordinator,
    "store": Scenarios.store,
    "hung": Scenarios.hung,
    "nobody": Scenarios.nobody,
    "refused": Scenarios.refused,
}


def too_long(*_):
    raise Failed(f"it is not over after {SECONDS} s")


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    binary, chosen = sys.argv[1], sys.argv[2:] or list(SCENARIOS)
    if chosen == ["list"]:
        print("\n".join(SCENARIOS))
        return
    unknown = [name for name in chosen if name not in SCENARIOS]
    if unknown:
        raise SystemExit(f"there is no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="tenfold-wide-check-")).resolve()
    signal.signal(signal.SIGALRM, too_long)
    try:
        tenfold = Tenfold(str(pathlib.Path(binary).resolve()), work)
        _, help_text, _ = tenfold.answer("worker", "--help")
        if "--wide-listen" not in help_text:
            raise SystemExit(f"{binary} was built without `--features ballista`")
        scenarios = Scenarios(tenfold)
        for name in chosen:
            Process.every.clear()
            began = datetime.datetime.now()
            signal.alarm(SECONDS)
            try:
                found = SCENARIOS[name](scenarios)
            except Skipped as missing:
                signal.alarm(0)
                print(f"skipped: {name}: {missing}", flush=True)
                continue
            except (Failed, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
                signal.alarm(0)
                Process.tails()
                Process.kill_all()
                raise SystemExit(f"FAILED: {name}: {type(error).__name__}: {error}") from error
            signal.alarm(0)
            Process.kill_all()
            took = (datetime.datetime.now() - began).total_seconds()
            print(f"passed: {name}: {SCENARIOS[name].__doc__.splitlines()[0]} ({found}; {took:.0f} s)", flush=True)
    finally:
        Process.kill_all()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()

"""Processes that the tests with PostgreSQL's clients need: `tenfold serve`, and a PostgreSQL of our own."""

import glob
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time


class Tenfold:
    """`tenfold serve` over a store, on a port that is free."""

    def __init__(self, binary, store, *options):
        command = [binary, "serve", "--store", store, "--sql-listen", "127.0.0.1:0", "--pg-listen", "127.0.0.1:0"]
        self.process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
        self.port = None
        said = []
        for line in self.process.stderr:
            said.append(line)
            found = re.search(r"postgresql://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        assert self.port, "".join(said)
        # What it says later is taken too: it would wait for somebody to read it.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class PostgreSQL:
    """A database cluster in a folder of its own, run by somebody who is not root."""

    @staticmethod
    def binaries():
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        at = found[-1] if found else shutil.which("initdb")
        return os.path.dirname(at) if at else None

    def __init__(self):
        self.bin = self.binaries()
        self.folder = tempfile.mkdtemp(prefix="tenfold-postgresql-")
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            owner = pwd.getpwnam(self.user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.port = free_port()
        data = os.path.join(self.folder, "data")
        self.run("initdb", "-D", data, "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.process = subprocess.Popen(
            [
                os.path.join(self.bin, "postgres"), "-D", data, "-p", str(self.port),
                "-k", self.folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
            ],
            user=self.user, cwd=self.folder, stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            ready = subprocess.run(
                [os.path.join(self.bin, "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)],
                capture_output=True,
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL does not begin to answer")

    def run(self, program, *arguments):
        command = [os.path.join(self.bin, program), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=self.user, cwd=self.folder)

    def address(self):
        return f"postgresql://owner@127.0.0.1:{self.port}/postgres"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

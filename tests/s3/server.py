"""An S3 server in memory for tests: moto behind one lock.

Usage: server.py PORT BUCKET

It says `ready` and its port, which it chooses when it is given 0.

moto looks whether an object exists and then writes it, without a lock between; with several threads
two conditional writers may both succeed. One lock around every request makes it honour
create-if-absent as S3 does.
"""

import sys
import threading

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

LOCK = threading.Lock()


class Locked:
    def __init__(self, application):
        self.application = application

    def __call__(self, environment, start_response):
        with LOCK:
            return list(self.application(environment, start_response))


def main(port, bucket):
    application = Locked(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", int(port), application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket=bucket)
    print(f"ready {server.server_port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

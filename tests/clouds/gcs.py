"""A double of Google Cloud Storage: the part of its XML API that object_store's client uses.

After https://cloud.google.com/storage/docs/xml-api/reference-methods and .../reference-headers: objects have
generations, `x-goog-if-generation-match: 0` creates only what is absent (412 otherwise), ranges are answered
with 206, and listings have the form of ListObjectsV2. One lock makes each request atomic, as there.

Usage: gcs.py PORT BUCKET
"""

import hashlib
import sys
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

PAGE = 100  # small, so that listings have several pages


class Bucket:
    """A bucket and what is in it, for all servers that answer for it."""

    def __init__(self, name):
        self.name = name
        self.objects: dict[str, tuple[bytes, int, float]] = {}
        self.lock = threading.Lock()
        self.generations = iter(range(1, 1 << 60))

    def server(self, port, handler=None):
        """A server of it, at any port for 0, that `serve_forever` lets begin."""
        return ThreadingHTTPServer(("127.0.0.1", port), type("Served", (handler or Handler,), {"bucket": self}))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, *_):
        pass

    def where(self):
        url = urllib.parse.urlsplit(self.path)
        bucket, _, name = url.path.lstrip("/").partition("/")
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        return bucket, urllib.parse.unquote(name), query

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    @staticmethod
    def headers_of(stored):
        body, generation, at = stored
        return [
            ("ETag", f'"{hashlib.md5(body).hexdigest()}"'),
            ("x-goog-generation", str(generation)),
            ("Last-Modified", formatdate(at, usegmt=True)),
        ]

    def do_PUT(self):
        bucket, name, query = self.where()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if bucket != self.bucket.name or query:
            return self.refuse(501, "NotImplemented")
        wanted = self.headers.get("x-goog-if-generation-match")
        with self.bucket.lock:
            there = self.bucket.objects.get(name)
            if wanted is not None and int(wanted) != (there[1] if there else 0):
                return self.refuse(412, "PreconditionFailed")
            stored = self.bucket.objects[name] = (body, next(self.bucket.generations), time.time())
        self.answer(200, headers=self.headers_of(stored))

    def do_GET(self):
        bucket, name, query = self.where()
        if bucket != self.bucket.name:
            return self.refuse(404, "NoSuchBucket")
        if not name:
            return self.listing(query)
        with self.bucket.lock:
            stored = self.bucket.objects.get(name)
        if stored is None:
            return self.refuse(404, "NoSuchKey")
        body, headers = stored[0], self.headers_of(stored)
        asked = self.headers.get("Range")
        if asked is None:
            return self.answer(200, body, headers)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        if first == "":
            first, last = max(0, len(body) - int(last)), len(body) - 1
        else:
            first, last = int(first), min(int(last or len(body)), len(body) - 1)
        if first > last:
            return self.refuse(416, "InvalidRange")
        headers.append(("Content-Range", f"bytes {first}-{last}/{len(body)}"))
        self.answer(206, body[first : last + 1], headers)

    do_HEAD = do_GET

    def do_DELETE(self):
        _, name, _ = self.where()
        with self.bucket.lock:
            there = self.bucket.objects.pop(name, None)
        self.answer(204) if there else self.refuse(404, "NoSuchKey")

    def listing(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        with self.bucket.lock:
            objects = self.bucket.objects
            names = sorted(name for name in objects if name.startswith(prefix) and name > after)
            page, folders = [], []
            for name in names[:PAGE]:
                head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
                if found:
                    folders.append(prefix + head + delimiter)
                else:
                    page.append((name, objects[name]))
        contents = "".join(
            f"<Contents><Key>{escape(name)}</Key><Generation>{stored[1]}</Generation>"
            f"<LastModified>{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(stored[2]))}.000Z</LastModified>"
            f'<ETag>"{hashlib.md5(stored[0]).hexdigest()}"</ETag><Size>{len(stored[0])}</Size></Contents>'
            for name, stored in page
        )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in sorted(set(folders))
        )
        token = f"<NextContinuationToken>{escape(names[PAGE - 1])}</NextContinuationToken>" if len(names) > PAGE else ""
        truncated = str(bool(token)).lower()
        body = (
            f"<ListBucketResult><Name>{self.bucket.name}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<IsTruncated>{truncated}</IsTruncated>{token}{contents}{common}</ListBucketResult>"
        )
        self.answer(200, body.encode(), [("Content-Type", "application/xml")])


if __name__ == "__main__":
    serving = Bucket(sys.argv[2]).server(int(sys.argv[1]))
    print("ready", flush=True)
    serving.serve_forever()

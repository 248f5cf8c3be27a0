"""Makes a container in Azurite, with the account that every Azurite has.

Usage: container.py PORT CONTAINER
"""

import base64
import hashlib
import hmac
import sys
import time
import urllib.error
import urllib.request
from email.utils import formatdate

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

port, container = sys.argv[1:]
for _ in range(300):
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    shown = "\n".join(f"{name}:{value}" for name, value in sorted(headers.items()))
    signed = "PUT" + "\n" * 12 + f"{shown}\n/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Type"] = ""
    url = f"http://127.0.0.1:{port}/{ACCOUNT}/{container}?restype=container"
    request = urllib.request.Request(url, method="PUT", data=b"", headers=headers)
    try:
        urllib.request.urlopen(request)
        sys.exit(0)
    except urllib.error.HTTPError as error:
        sys.exit(f"{error}: {error.read().decode()}")
    except urllib.error.URLError:
        time.sleep(0.1)  # it does not listen yet
sys.exit("Azurite does not answer")

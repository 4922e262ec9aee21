"""Push trips to a mobility vault. Standard library only; Apache-2.0: copy it."""

# ruff: noqa
import json, sys, time, urllib.error, urllib.request, uuid
from typing import Any


def call(url: str, body: object = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    headers.update({"Authorization": "Bearer " + token} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    while True:
        try:
            return json.load(urllib.request.urlopen(request, timeout=30))
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                sys.exit(error.read().decode())  # a problem: every place that is wrong, and why
            time.sleep(int(error.headers["Retry-After"]))


vault, code, file = sys.argv[1:4]  # push.py https://my-vault ABCD-2345 trips.json
token = call(vault + "/v1/pairings", {"code": code, "app": "my-app"})["token"]  # once; keep it
taken = call(vault + "/v1/push", {"trips": json.load(open(file, encoding="utf-8"))}, token)
print(json.dumps(call(vault + taken["status"], token=token)))

#!/usr/bin/env python3
"""Rotates what a used grant touched: takes the calls of a `[[rotations]]` hook, and runs a command for each.

Usage: rotation_receiver.py PORT SECRET_FILE DONE_FOLDER COMMAND [ARGUMENT ..]

It listens on 127.0.0.1. The command has the event as JSON on its stdin, and ends with 0 once it has rotated; otherwise the
service calls again. A rotation that was done has a file in DONE_FOLDER, by which a second call of it does nothing.
"""

import base64
import hashlib
import hmac
import pathlib
import re
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

# How old a call may be, in seconds: an older one may be replayed by an attacker who saw it.
TOLERANCE = 300
# The largest body that is read, in bytes.
MAX_BODY = 256 * 1024


def is_signed(secret, headers, body):
    """Whether the call is the service's and of now, as Standard Webhooks 1.0 says."""
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isascii() or not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{id}.{at}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            return self.answer(413)
        body = self.rfile.read(int(length))
        secret = pathlib.Path(SECRET_FILE).read_text().strip()
        if not is_signed(secret, self.headers, body):
            return self.answer(401)
        id = self.headers["webhook-id"]
        if not re.fullmatch(r"rot_[0-9A-Z]+", id):
            return self.answer(400)
        done = pathlib.Path(DONE_FOLDER, id)
        if done.exists():
            return self.answer(204)
        if subprocess.run(COMMAND, input=body).returncode != 0:
            return self.answer(500)
        # Afterwards: a receiver that ends in between rotates twice, and never not at all.
        done.touch()
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    PORT, SECRET_FILE, DONE_FOLDER, *COMMAND = sys.argv[1:]
    # One call after the other: two of one rotation cannot run at a time.
    HTTPServer(("127.0.0.1", int(PORT)), Receiver).serve_forever()

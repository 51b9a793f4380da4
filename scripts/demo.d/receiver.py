"""A receiver of webhooks: it takes what is signed with the secret (Standard Webhooks), and writes each event to a file."""
import base64, hashlib, hmac, http.server, sys
port, secret_file, heard = sys.argv[1:]
secret = base64.b64decode(open(secret_file).read().strip().removeprefix("whsec_"))
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = b".".join((self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), body))
        expected = "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        is_genuine = any(hmac.compare_digest(expected, given) for given in self.headers["webhook-signature"].split())
        if is_genuine:
            with open(heard, "ab") as events:
                events.write(body + b"\n")
        self.send_response(204 if is_genuine else 401)
        self.end_headers()
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever()

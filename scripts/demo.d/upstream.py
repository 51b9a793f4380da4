"""The upstream: it answers what it saw."""
import http.server, json, sys
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        seen = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"upstream_saw": [n for n in ("x-breakglass-grant", "x-breakglass-subject", "x-breakglass-token") if n in seen],
                           "grant": seen.get("x-breakglass-grant"), "subject": seen.get("x-breakglass-subject")}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_DELETE = answer
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()

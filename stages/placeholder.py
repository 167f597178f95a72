"""The fleet's service until there is a custom image: /health on each port, so that a first deployment succeeds.

This file is the whole program. User data writes it onto the instance; it runs on Amazon Linux's Python.
"""

import http.server
import sys
import threading


class Placeholder(http.server.BaseHTTPRequestHandler):
    """Answers health checks; every other request must wait for the platform."""

    def do_GET(self) -> None:
        well = self.path.partition("?")[0].endswith("/health")
        body = b"ok\n" if well else b"No image of the platform is deployed yet.\n"
        self.send_response(200 if well else 503)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 -- http.server's name

    def log_message(self, *_: object) -> None:
        """Log nothing: the load balancer checks every few seconds."""


if __name__ == "__main__":
    for port in sys.argv[2:]:
        server = http.server.ThreadingHTTPServer((sys.argv[1], int(port)), Placeholder)
        threading.Thread(target=server.serve_forever).start()

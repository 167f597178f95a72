"""What the fleet runs until there is an image of one's own: /health on each port, so that a first deployment is green.

This file is the whole program. It is written onto the instance by its user data, and runs on Amazon Linux's Python.
"""

import http.server
import sys
import threading


class Placeholder(http.server.BaseHTTPRequestHandler):
    """Answers whoever asks whether it is well; everything else has to wait for the platform."""

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
        """The load balancer asks every few seconds: nothing is logged."""


if __name__ == "__main__":
    for port in sys.argv[2:]:
        server = http.server.ThreadingHTTPServer((sys.argv[1], int(port)), Placeholder)
        threading.Thread(target=server.serve_forever).start()

"""An HTTPS server in a thread: answers by a function of the test's."""
import http.server
import ssl
import threading


class HttpsServer:
    """`answer(method, path, headers, body)` -> (status, headers, body), or None: never. `asked`: all (method, path)."""

    def __init__(self, certificate, answer, address=("127.0.0.1", 0)):
        self.asked = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        outer = self
        self.ended = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                self.request.settimeout(20)
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self):
                outer.asked.append((self.command, self.path))
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = answer(self.command, self.path, self.headers, body)
                if reply is None:
                    outer.ended.wait(30)
                    return
                status, headers, content = reply
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A client that does not like the certificate leaves."""

        self.server = Server(address, Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

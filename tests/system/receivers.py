"""Who is told by webhooks and syslog, in threads: web servers and collectors that can be told to misbehave, that go away
and come back on the same port."""
import http.server
import re
import select
import socket
import ssl
import threading

MARK = "\ufeff"


class WebReceiver:
    """Keeps each request as (path, headers, body) in `asked`. `answer(number, body)` -> (status, headers), None: never."""

    def __init__(self, certificate=None, answer=None, port=0):
        self.asked = []
        self.connections = 0
        self.answer = answer or (lambda number, body: (200, {}))
        self.context = None
        self.port = port
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.start()

    def start(self):
        outer = self
        self.ended = threading.Event()
        open_ones = self.open_ones = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20
            disable_nagle_algorithm = True

            def setup(self):
                if outer.context:
                    self.request = outer.context.wrap_socket(self.request, server_side=True)
                open_ones.add(self.request)
                outer.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, self.headers, body))
                reply = outer.answer(len(outer.asked), body)
                if reply is None:
                    outer.ended.wait(30)
                    self.close_connection = True
                    return
                self.send_response(reply[0])
                for name, value in {"Content-Length": "2", **reply[1]}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                """A client that does not like the certificate leaves."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        for one in list(self.open_ones):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def url(self, path="/hook"):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}{path}"


PATTERN = re.compile(r"<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|\[(?:[^\]\\]|\\.)*\])(?: (.*))?", re.S)
PARAM = re.compile(r' ([^ =\]"]+)="((?:[^"\\\]]|\\["\\\]])*)"')


def parse_syslog(text):
    """A message of RFC 5424, field by field; fails when it is none."""
    found = PATTERN.fullmatch(text)
    assert found, text
    pri, time, host, app, process, kind, element, message = found.groups()
    body = element[1:-1]
    params = dict(PARAM.findall(body))
    if element != "-":
        assert body == body.split(" ")[0] + "".join(m.group(0) for m in PARAM.finditer(body)), element
    return {"facility": int(pri) // 8, "severity": int(pri) % 8, "time": time, "host": host, "app": app, "process": process,
            "kind": kind, "element": body.split(" ")[0], "text": (message or "").removeprefix(MARK),
            "params": {name: re.sub(r"\\(.)", r"\1", value) for name, value in params.items()}}


class SyslogReceiver:
    """Of "udp", "tcp" or "tls": keeps each message as text in `messages`. `reads`: cleared, it reads nothing."""

    def __init__(self, kind, certificate=None, port=0):
        self.kind, self.port = kind, port
        self.messages = []
        self.connections = 0
        self.reads = threading.Event()
        self.reads.set()
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.start()

    def start(self):
        self.ended = threading.Event()
        self.threads = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if self.kind == "udp" else socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        if self.kind == "udp":
            self._thread(self._datagrams, self.socket)
        else:
            self.socket.listen(20)
            self._thread(self._accept, self.socket)

    def _thread(self, run, sock):
        self.threads.append(threading.Thread(target=run, args=(sock, self.ended), daemon=True))
        self.threads[-1].start()

    def _wait(self, sock, ended):
        """Whether there is something to read; False at the end."""
        while not ended.is_set():
            if self.reads.wait(0.05) and (getattr(sock, "pending", lambda: 0)() or select.select([sock], [], [], 0.05)[0]):
                return True
        return False

    def _datagrams(self, sock, ended):
        while self._wait(sock, ended):
            self.messages.append(sock.recv(65536).decode())
        sock.close()

    def _accept(self, sock, ended):
        while not ended.is_set():
            if select.select([sock], [], [], 0.05)[0]:
                self._thread(self._connection, sock.accept()[0])
        sock.close()

    def _connection(self, sock, ended):
        data = b""
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            self.connections += 1
            while self._wait(sock, ended):
                fresh = sock.recv(65536)
                if not fresh:
                    break
                data = self._take(data + fresh)
        except OSError:
            """Whoever does not like the certificate leaves."""
        sock.close()

    def _take(self, data):
        """Octet counting: the whole messages go, the rest is left."""
        while b" " in data:
            count, rest = data.split(b" ", 1)
            if len(rest) < int(count):
                break
            self.messages.append(rest[:int(count)].decode())
            data = rest[int(count):]
        return data

    def parsed(self):
        return [parse_syslog(message) for message in list(self.messages)]

    def stop(self):
        """When it returns the port is free for who comes next."""
        self.ended.set()
        self.reads.set()
        for thread in self.threads:
            thread.join(10)

    def url(self):
        return f"{self.kind}://127.0.0.1:{self.port}"

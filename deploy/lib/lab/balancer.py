"""HAProxy from deploy/haproxy.cfg, the file that users read, with this cluster's addresses in it."""
import re
import socket


def render(template, listen, nodes, stats_socket):
    """`listen`: the addresses for SMTP, for SMTP over TLS and for the statistics; `nodes`: (name, address for PROXY
    connections, the same over TLS, port of the admin HTTP)."""
    plain = "".join(f"    server {name} {address} check port {port}\n" for name, address, _, port in nodes)
    tls = "".join(f"    server {name} {address} track skein/{name}\n" for name, _, address, _ in nodes)
    text = re.sub(r"(?m)^ +(user|group|maxconn) .*\n", "", template)
    text = re.sub(r"(?m)^    stats socket .*$", f"    stats socket {stats_socket} mode 600 level admin", text)
    text = _replace(r"(?m)^    bind .*$", [f"    bind {address}" for address in listen], text)
    return _replace(r"(?m)(?:^    server .*\n)+", [plain, tls], text)


def _replace(pattern, parts, text):
    """The n-th match becomes the n-th part."""
    left = iter(parts)
    text, count = re.subn(pattern, lambda _: next(left), text)
    if count != len(parts):
        raise SystemExit(f"deploy/haproxy.cfg has {count} of {pattern}, not {len(parts)}")
    return text


def _ask(stats_socket, command):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(stats_socket)
        link.sendall(command.encode() + b"\n")
        answer = b""
        while part := link.recv(65536):
            answer += part
    return answer.decode()


def servers_up(stats_socket):
    """Names of the servers that get new connections; empty when HAProxy does not answer."""
    try:
        lines = _ask(stats_socket, "show stat").splitlines()
    except OSError:
        return set()
    rows = [line.split(",") for line in lines if line]
    names = rows[0]
    backend, name, status = names.index("# pxname"), names.index("svname"), names.index("status")
    return {row[name] for row in rows[1:]
            if row[backend] == "skein" and row[status].startswith("UP")} - {"BACKEND", "FRONTEND"}

"""HAProxy from deploy/haproxy.cfg, the file that users read, with this cluster's addresses in it."""
import re
import socket


def render(template, listen, nodes, stats_socket):
    """`nodes`: (name, address for PROXY connections, port of the admin HTTP)."""
    servers = "".join(f"    server {name} {address} check port {port}\n" for name, address, port in nodes)
    text = re.sub(r"(?m)^ +(user|group|maxconn) .*\n", "", template)
    text = re.sub(r"(?m)^global\n", f"global\n    stats socket {stats_socket} mode 600 level admin\n", text)
    text = re.sub(r"(?m)^    bind .*$", f"    bind {listen}", text)
    text, count = re.subn(r"(?m)(^    server .*\n)+", servers, text)
    if count != 1 or text.count(f"bind {listen}") != 1:
        raise SystemExit("deploy/haproxy.cfg no longer has the one bind line and the one list of servers")
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
    name, status = names.index("svname"), names.index("status")
    return {row[name] for row in rows[1:] if row[status].startswith("UP")} - {"BACKEND", "FRONTEND"}

"""A node's admin HTTP."""
import json
import re
import urllib.error
import urllib.request

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(address, path, seconds=5):
    """(status, body), or (0, why) when nobody answers."""
    try:
        with _opener.open(f"http://{address}{path}", timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ValueError) as error:
        return 0, str(getattr(error, "reason", error))


def is_ready(address):
    return get(address, "/readyz", 2)[0] == 200


def health(address):
    return json.loads(get(address, "/healthz")[1])


def metrics(address):
    """Name with labels -> value; empty when the node does not answer."""
    status, text = get(address, "/metrics")
    if status != 200:
        return {}
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}

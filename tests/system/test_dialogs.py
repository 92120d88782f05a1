"""The dialogue scripts of tests/dialog against the real server: what the pure machine says is what a client hears."""
from lab.wait import until
import pytest

from conftest import TOP
from dialog import Mismatch, Player, Script

# A directive, and the least that the schema allows for the setting it stands for: smaller ones are for the machine.
SETTINGS = {
    "size": ("limits", "message_size", 65536),
    "recipients": ("limits", "recipients", 100),
    "errors": ("limits", "errors", 1),
    "messages": ("limits", "messages_per_connection", 1),
}
SCRIPTS = {path.stem: Script(path) for path in sorted((TOP / "tests" / "dialog").glob("*.dialog"))}


def is_for_a_server(script):
    if "machine-only" in script.directives:
        return False
    return all(name not in SETTINGS or int(value) >= SETTINGS[name][2] for name, value in script.directives.items())


def settings_of(script):
    settings = {"tls": None, "listeners": None, "limits": {"command_line": 2048},
                "smtp": {"requiretls": False, "mt_priority": False, "deliverby": False}}
    for name, value in script.directives.items():
        if name in SETTINGS:
            section, key, _ = SETTINGS[name]
            settings[section][key] = int(value)
        elif name == "bare-newline":
            settings["smtp"]["bare_newline"] = value
        elif name == "without":
            settings["smtp"][{"SMTPUTF8": "utf8", "CHUNKING": "chunking"}[value]] = False
        elif name == "starttls":
            settings.pop("tls")
            settings.pop("listeners")
        else:
            pytest.fail(f"no setting is known for the directive {name}")
    return {key: value for key, value in settings.items() if value != {}}


@pytest.fixture(scope="module")
def server(module_clusters):
    """server(settings) -> a node with them; scripts with the same settings share it."""
    known = {}

    def get(settings):
        key = repr(settings)
        if key not in known:
            plain = "listeners" in settings
            cluster = known[key] = module_clusters(nodes=1, redis=False, balancer=False,
                                                   settings={} if plain else settings)
            if plain:
                node = cluster.nodes[1]
                cluster.record["settings"] = dict(settings, listeners=[{"address": node.smtp, "tls": "none"}])
                node.stop()
                node.start()
        return known[key]
    return get


@pytest.mark.parametrize("name", [name for name, script in SCRIPTS.items() if is_for_a_server(script)])
def test_dialog(server, name):
    cluster = server(settings_of(SCRIPTS[name]))
    before = len(cluster.sink.untagged())

    def content_arrives(ending):
        until(lambda: any(content.endswith(ending) for _, content in cluster.sink.untagged()[before:]), 20,
              lambda: f"a message that ends in {ending!r} arrives: {cluster.sink.untagged()[before:]}")
    player = Player(cluster.nodes[1].smtp, cluster.certificate, content_arrives)
    try:
        player.play(SCRIPTS[name])
    finally:
        player.close()


def test_a_script_that_expects_something_else_fails(server, tmp_path):
    wrong = tmp_path / "wrong.dialog"
    wrong.write_text("S: 220 *\nC: NOOP\nS: 299 *\n")
    cluster = server(settings_of(SCRIPTS["vrfy"]))
    player = Player(cluster.nodes[1].smtp, cluster.certificate, None)
    with pytest.raises(Mismatch, match="line 3.*250"):
        player.play(Script(wrong))
    player.close()

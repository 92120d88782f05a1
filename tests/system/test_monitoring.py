"""The rules of Prometheus and the dashboard of Grafana name nothing that nodes do not have."""
import json
import re

from lab.cluster import REPOSITORY

RULES = REPOSITORY / "deploy" / "prometheus" / "skein.rules.yml"
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "skein.json"


def metrics():
    """name -> (type, label with its values), as docs/metrics.md has them, which a test keeps true."""
    found = {}
    for line in (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| `(skein_\w+)` \| (\w+) \| (.*?) \| ", line)
        if row:
            found[row[1]] = (row[2], row[3])
    return found


def has_label(known, name, label, value=None):
    """Does the metric have this label, with this value? A name of the policy, and a variable, may be anything."""
    labels = dict(re.findall(r"`(\w+)`(?:: ([\w, .-]+))?", known[name][1]))
    if label not in labels:
        return False
    return value is None or value.startswith("$") or not labels[label] or value in labels[label].split(", ")


def check(expression):
    known = metrics()
    names = re.findall(r"\bskein_\w+", expression)
    assert names or "up{" in expression, expression
    for name in names:
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        assert name in known or (base in known and known[base][0] == "histogram"), f"there is no {name}: {expression}"
    for name, selector in re.findall(r"\b(skein_\w+)\{([^}]*)\}", expression):
        matchers = re.findall(r'(\w+)=~?"([^"]*)"', selector)
        assert ",".join(re.findall(r'\w+=~?"[^"]*"', selector)) == selector, selector
        for label, values in matchers:
            for value in values.split("|"):
                assert label == "job" or has_label(known, name, label, value), f"{name} has no {label}={value}: {expression}"
    for labels, name in re.findall(r"\b(?:sum|max|min) by \(([\w, ]+)\) \((?:\w+\()?(skein_\w+)", expression):
        for label in labels.split(", "):
            assert label in ("le", "instance") or has_label(known, name, label), f"{name} has no label {label}: {expression}"
    assert expression.count("(") == expression.count(")") and expression.count("{") == expression.count("}")


def test_rules_name_metrics_that_are_there():
    text = RULES.read_text(encoding="utf-8")
    rules = re.split(r"^      - alert: ", text, flags=re.M)[1:]
    assert len(rules) >= 10
    for rule in rules:
        expression = re.search(r"^        expr: (?:>\n((?:          .*\n)+)|(.*)\n)", rule, re.M)
        check(expression[1] or expression[2])
        assert re.search(r"labels: \{ severity: (critical|warning) \}", rule), rule
        assert "summary:" in rule and "description:" in rule


def test_the_dashboard_names_metrics_that_are_there():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in panels:
        assert panel["title"] and panel["targets"]
        for target in panel["targets"]:
            check(target["expr"])
    cells = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not mine & cells and at["x"] + at["w"] <= 24, f"{panel['title']} lies over another"
        cells |= mine

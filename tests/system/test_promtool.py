"""What Prometheus' own tool says of a node's metrics, and of the rules that go with them."""
import json
import re
import shutil
import subprocess

import pytest
from lab import admin
from lab.cluster import REPOSITORY

from support import send

RULES = REPOSITORY / "deploy" / "prometheus" / "skein.rules.yml"
PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed (Debian: prometheus)")


def test_nothing_is_to_be_said_about_a_scrape(alone):
    send(alone.nodes[1].smtp)
    status, text = admin.get(alone.nodes[1].admin, "/metrics")
    assert status == 200
    told = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    # Whoever looks after certificates counts in days.
    said = [line for line in (told.stdout + told.stderr).splitlines()
            if not re.fullmatch(r'skein_(\w+_)?certificate_days use base unit "seconds" instead of "days"', line)]
    assert not said and told.returncode in (0, 3)  # 3: something was said


def test_the_rules_are_rules():
    told = subprocess.run([PROMTOOL, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def series(metric, **labels):
    """The values of a series, one a minute: a start, a step and how many."""
    values = labels.pop("values")
    return {"series": metric + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}", "values": values}


def fires(alert, **labels):
    text = ",".join(f'{key}="{value}"' for key, value in {"alertname": alert, "alertstate": "firing", **labels, "severity": "warning"}.items())
    return {"labels": f"ALERTS{{{text}}}", "value": 1}


def test_rules_about_routes_and_limits_fire_for_the_one_that_is_ill(tmp_path):
    steady, none, ill = "0+10x60", "0x60", "0+20x60"
    messages, limits = "skein_route_messages_total", "skein_limit_results_total"
    inputs = [series("skein_route_queue_oldest_seconds", route="old", instance="a", values="14000+60x60"),
              series("skein_route_queue_oldest_seconds", route="young", instance="a", values="60x60")]
    for route, delivered, failed, put_off in (("well", steady, none, "0+5x60"), ("stuck", none, none, "0+2x60"),
                                              ("refused", steady, ill, none), ("idle", none, none, none)):
        inputs += [series(messages, route=route, instance="a", result="delivered", values=delivered),
                   series(messages, route=route, instance="a", result="failed", values=failed),
                   series(messages, route=route, instance="a", result="put_off", values=put_off)]
    for limit, let_in, refused in (("wide", steady, "0+1x60"), ("narrow", steady, ill)):
        inputs += [series(limits, limit=limit, instance="a", result="let_in", values=let_in),
                   series(limits, limit=limit, instance="a", result="refused", values=refused)]
    firing = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "50m", "exp_samples": [
        fires("SkeinRouteStuck", route="stuck"), fires("SkeinRouteFails", route="refused"),
        fires("SkeinRouteQueueOld", route="old"), fires("SkeinLimitRefuses", limit="narrow")]}
    test = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [
        {"interval": "1m", "input_series": inputs, "promql_expr_test": [firing]}]}
    path = tmp_path / "rules.test.yml"
    path.write_text(json.dumps(test), encoding="utf-8")
    told = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr

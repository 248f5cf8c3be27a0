"""Checks what can be checked of deploy/ without the tools that it is for.

Usage: check.py TENFOLD, where TENFOLD is the binary whose flags and variables the files use.
"""

import fnmatch
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import yaml

from chart import Chart, Required, merged

ROOT = pathlib.Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NAMES = {"tls": {"coordinatorSecret": "coordinator-tls", "workerSecret": "worker-tls"}}
CASES = {
    "as little as possible": {},
    "secrets, tokens, a project in a config map": {
        "store": {"existingSecret": "bucket", "env": {"AWS_REGION": "eu-central-1"}},
        "tokens": {"existingSecret": "tokens"},
        "project": {"existingConfigMap": "shop"},
        "imagePullSecrets": [{"name": "registry"}],
        "networkPolicy": {"metricsNamespaces": []},
    },
    "everything": {
        "project": {"url": "s3://my-bucket/shop"},
        "worker": {
            "autoscaling": {"enabled": True},
            "extraEnv": [{"name": "TENFOLD_LOG", "value": "debug"}],
            "podAnnotations": {"a": "b"}, "podLabels": {"team": "crm"},
            "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "batch", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {}},
        },
        "coordinator": {
            "replicas": 3, "extraEnv": [{"name": "TENFOLD_LOG", "value": "debug"}],
            "podAnnotations": {"a": "b"}, "podLabels": {"team": "crm"},
            "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "batch", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {}},
        },
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/tenfold"}},
        "metrics": {"podMonitor": True},
    },
    "nothing that can be left out": {
        "serviceAccount": {"create": False, "name": "shared"}, "networkPolicy": {"enabled": False},
    },
}


def help_of(binary, *arguments):
    return subprocess.run([binary, *arguments, "--help"], check=True, capture_output=True, text=True).stdout


def known(binary):
    """Flags and variables that the processes and verbs of the deploy files understand."""
    verbs = [["coordinator"], ["worker"], ["up"], ["submit"], ["init"], ["run", "ls"], ["run", "tasks"],
             ["cluster", "status"], ["token", "new"]]
    text = "\n".join(help_of(binary, *verb) for verb in verbs)
    variables = set(re.findall(r"TENFOLD_[A-Z_]+", text)) | {"TENFOLD_LOG"}
    return set(re.findall(r"--[a-z][a-z-]+", text)), variables


def check_names(binary):
    flags, variables = known(binary)
    # Variables of compose itself.
    own = {"TENFOLD_IMAGE", "TENFOLD_PROJECT_DIR"}
    files = [file for file in DEPLOY.rglob("*") if file.is_file()]
    for file in [*files, ROOT / "docs/security.md", ROOT / "docs/notifications.md"]:
        text = file.read_text()
        unknown = set(re.findall(r"\bTENFOLD_[A-Z][A-Z_]+", text)) - variables - own - {"TENFOLD_WEBHOOK_KEY"}
        assert not unknown, f"{file}: the program knows no variable {unknown}"
        for line in re.findall(r"\btenfold (?:coordinator|worker|submit|run|cluster|token|init|up)\b(?:[^`\n]|\\\n)*", text):
            unknown = set(re.findall(r"(?<!\S)--[a-z][a-z-]+", line)) - flags
            assert not unknown, f"{file}: the program knows no flag {unknown}"
    return len(files)


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def check_chart():
    chart = Chart(DEPLOY / "helm/tenfold")
    schema = json.loads((DEPLOY / "helm/tenfold/values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(chart.values, schema)
    refuse_typo(chart, schema)
    for name, values in CASES.items():

        jsonschema.validate(merged(chart.values, values), schema)
        rendered = chart.render({**values, **NAMES})
        objects = [o for file, text in rendered.items() if file.endswith(".yaml") for o in documents(text)]
        kinds = [o["kind"] for o in objects]
        assert {"StatefulSet", "Deployment", "Service"} <= set(kinds), (name, kinds)
        for o in objects:
            check_object(o, objects)
    for missing in ("coordinatorSecret", "workerSecret"):
        try:
            chart.render({"tls": {**NAMES["tls"], missing: ""}})
        except Required as error:
            assert missing in str(error)
        else:
            raise AssertionError(f"it renders without tls.{missing}")


def refuse_typo(chart, schema):

    try:
        jsonschema.validate(merged(chart.values, {"worker": {"replica": 3}}), schema)
    except jsonschema.ValidationError:
        return
    raise AssertionError("a misspelt value passes")


def check_object(o, objects):
    labels = o["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "tenfold", o["metadata"]
    if o["kind"] == "HorizontalPodAutoscaler":
        target = o["spec"]["scaleTargetRef"]
        assert any(x["kind"] == target["kind"] and x["metadata"]["name"] == target["name"] for x in objects)
    if o["kind"] == "NetworkPolicy":
        for rule in o["spec"]["ingress"]:
            assert "from" not in rule or rule["from"], "nobody is named, which lets in everybody"
    if o["kind"] not in ("StatefulSet", "Deployment"):
        return
    pod = o["spec"]["template"]
    selector = o["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pod["metadata"]["labels"].items(), "the selector does not select its pods"
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in spec["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
            assert container[probe]["httpGet"]["path"] in ("/livez", "/readyz")
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert any(mount["mountPath"] == "/tmp" for mount in container["volumeMounts"]), "there is no room to work in"
        assert mounts == {volume["name"] for volume in spec["volumes"]}, "a volume is not mounted, or not there"
        names = [variable["name"] for variable in container["env"]]
        assert len(names) == len(set(names)), f"a variable is there twice: {names}"


def check_compose():
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    services = compose["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", []):
            assert needed in services, f"{name} depends on {needed}"
    assert services["worker"]["deploy"]["replicas"] == 2
    for name in ("coordinator", "worker"):
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]


# An object of each kind that is deleted some day.
DELETED = (
    "_work/results/t/1.json", "_state/days/a.parquet", "tables/customer_value/shard=01/a.parquet",
    "tables/customer_value/_delta_log/_last_checkpoint", "backfills/b/1.json", "_announced/a.json", "_doctor/a",
    "_ingest/opens/uploads/b/f/1", "_ingest/opens/rows/b/1.parquet", "_ingest/opens/errors/b/1.parquet",
    "_ingest/opens/checkpoints/00000001.json", "_ingest/opens/stream/00000001.jsonl",
    "_deliveries/crm/00000001/work.parquet",
)


def check_policy():
    policy = json.loads((DEPLOY / "bucket/s3-policy.json").read_text())
    sweep = next(statement for statement in policy["Statement"] if statement["Sid"] == "Sweep")
    for path in DELETED:
        allowed = any(fnmatch.fnmatchcase(f"arn:aws:s3:::MY-BUCKET/tenfold/{path}", one) for one in sweep["Resource"])
        assert allowed, f"the policy does not let {path} be deleted"
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            actions, resources = (as_list(statement[key]) for key in ("Action", "Resource"))
            assert not any("*" in action for action in actions), f"{statement['Sid']} allows too much"
            assert "*" not in resources, f"{statement['Sid']} is about everything"


def as_list(value):
    return [value] if isinstance(value, str) else value


def check_syntax():
    for file in DEPLOY.rglob("*.json"):
        json.loads(file.read_text())
    for file in DEPLOY.rglob("*.yaml"):
        if "templates" not in file.parts:
            documents(file.read_text())
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            assert {"alert", "expr", "labels", "annotations"} <= rule.keys(), rule
            assert "summary" in rule["annotations"], rule["alert"]
    panels = json.loads((DEPLOY / "grafana/tenfold.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)


if __name__ == "__main__":
    check_syntax()
    check_chart()
    check_compose()
    check_policy()
    files = check_names(sys.argv[1])
    print(f"deploy: {files} files, {len(CASES)} renderings of the chart")

#!/usr/bin/env python3
"""Checks the facts that deploy/ repeats against the service and the documentation.

scripts/deploy/check.py PROGRAM FOLDER: run by scripts/deploy/run. PROGRAM is auth0-signup, FOLDER has what the
run made: the built overlays, sqlite.yaml and postgres.yaml, with the components openshift.yaml and migrate.yaml,
and restore.yaml. Writes dashboard.yml there: the dashboard's queries as rules, for promtool, and
dashboard.test.yml, which tests them.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "deploy/prometheus/auth0-signup.rules.yml"
TESTS = ROOT / "deploy/prometheus/auth0-signup.test.yml"
DASHBOARD = ROOT / "deploy/grafana/auth0-signup.json"
ALERTS = ROOT / "docs/runbooks/alerts.md"
INSTALL = ROOT / "docs/runbooks/install.md"
CONFIGURATION = ROOT / "docs/configuration.md"
METRIC_PAGES = [ROOT / "docs/operations.md", ROOT / "docs/limits.md"]
# The oldest and the newest version whose schemas the manifests have to satisfy.
KUBERNETES = ["1.29", kubernetes_validate.latest_version()]
# The overlays, the restore of a backup, and the components on an overlay.
OVERLAYS = ["sqlite", "postgres", "restore", "openshift", "migrate"]
# Time between the service's own deadline and the signal that ends it, in ms.
SPARE = 3000

failures = []


def expect(condition, message):
    """Records a failure."""
    if not condition:
        failures.append(message)


# Prometheus and Grafana


def documented_metrics():
    """The metrics in the first column of the tables in docs/."""
    names = set()
    for page in METRIC_PAGES:
        text = page.read_text(encoding="utf-8")
        for table in re.split(r"\n(?=\| metric \|)", text)[1:]:
            for line in table.split("\n\n")[0].splitlines()[2:]:
                names.update(re.findall(r"`([a-z_0-9]+)`", line.split("|")[1]))
    return names


def base(name):
    """The name of a histogram without the suffix of its series."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def queries():
    """(origin, expression) of every rule and every panel."""
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield f"panel '{panel['title']}'", target["expr"]


def check_metrics():
    """Every metric in a query exists, and every documented one is on the dashboard. A test of the service
    compares the documented metrics with those that it has."""
    documented = {base(name) for name in documented_metrics()}
    used = set()
    words = {word for page in METRIC_PAGES for word in re.findall(r"[a-z_0-9]+", page.read_text(encoding="utf-8"))}
    words |= set(re.findall(r"[a-z_0-9]+", (ROOT / "docs/api.md").read_text(encoding="utf-8")))
    for origin, query in queries():
        for name, labels in re.findall(r"([a-z_][a-z0-9_:]*)\{([^}]*)\}", query):
            expect(base(name) in documented | {"up"}, f"{origin} uses the metric {name}, which does not exist")
            if origin.startswith("panel"):
                used.add(base(name))
            for label, values in re.findall(r'(\w+)[!=]=?~?"([^"$]*)"', labels):
                for value in values.split("|"):
                    expect(label == "job" or value in words, f'{origin} uses {label}="{value}", which is not documented')
    for name in sorted(documented):
        expect(name in used, f"the metric {name} is on no panel of the dashboard")


def check_alerts():
    """Every alert is tested, quiet and firing, and has a section of its own in the runbook."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    sections = set(re.findall(r"^## (Signup\w+)$", ALERTS.read_text(encoding="utf-8"), re.MULTILINE))
    tested = {}
    for test in yaml.safe_load(TESTS.read_text(encoding="utf-8"))["tests"]:
        for case in test["alert_rule_test"]:
            tested.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    for name, alert in alerts.items():
        link = f"{ALERTS.relative_to(ROOT)}#{name.lower()}"
        expect(alert["annotations"].get("runbook_url") == link, f"{name}: runbook_url has to be {link}")
        expect(alert["labels"].get("severity") in ("page", "ticket"), f"{name}: severity is page or ticket")
        expect(name in sections, f"{name} has no section in {ALERTS.relative_to(ROOT)}")
        expect(tested.get(name) == {True, False}, f"{name} is not tested both quiet and firing")
    for name in sorted(sections - alerts.keys()):
        expect(False, f"{ALERTS.relative_to(ROOT)} has a section for {name}, which does not exist")


def write_dashboard_rules(path):
    """The dashboard's queries as recording rules: promtool parses nothing else."""
    rules = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$__rate_interval", "5m", query).replace("$", "")}
        for number, (origin, query) in enumerate(queries())
        if origin.startswith("panel")
    ]
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")


def write_dashboard_test(path):
    """A test that the panels with a value for "none" show it on a service without traffic."""
    fallbacks = [number for number, (origin, query) in enumerate(queries()) if query.endswith(" or vector(0)")]
    series = 'signup_requests_total{job="job",instance="instance",outcome="%s"}'
    test = {
        "interval": "1m",
        "input_series": [{"series": series % outcome, "values": "3x60"} for outcome in ("created", "internal")],
        "promql_expr_test": [
            {"expr": f"panel:{number}", "eval_time": "1h", "exp_samples": [{"labels": f"panel:{number}", "value": 0}]}
            for number in fallbacks
        ],
    }
    path.write_text(yaml.safe_dump({"rule_files": ["dashboard.yml"], "tests": [test]}), encoding="utf-8")


# Settings


class Settings:
    """What the service makes of an environment: `config check` and `config show`."""

    def __init__(self, program, origin, environment):
        def run(command):
            return subprocess.run(
                [program, "config", command], env=environment, capture_output=True, text=True, check=False
            )

        checked = run("check")
        expect(checked.returncode == 0, f"{origin}: {checked.stderr.strip()}")
        self.values = tomllib.loads(run("show").stdout.replace("[redacted]", '"redacted"'))

    def time_to_stop(self):
        """The longest time from SIGTERM to the end, in ms."""
        return self.values["http"]["shutdown_delay_ms"] + self.values["http"]["shutdown_timeout_ms"]


def image_environment():
    """ENV of the Dockerfile's last stage."""
    stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    return dict(pair.split("=", 1) for line in re.findall(r"^ENV (.*)$", stage, re.MULTILINE) for pair in line.split())


def env_file(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def with_files(environment, folder):
    """The environment with an existing file for each secret that it names."""
    for name, value in environment.items():
        if name.endswith("_FILE"):
            secret = folder / Path(value).name
            is_url = name == "DATABASE_URL_FILE"
            secret.write_text("postgres://signup@db/signup" if is_url else "a secret of more than 32 bytes, to check")
            environment = environment | {name: str(secret)}
    return environment


def milliseconds(text):
    return int(re.fullmatch(r"(\d+)s?", str(text))[1]) * 1000


def check_samples(program):
    """The sample files for systemd and compose are valid, and leave time to stop."""
    unit = (ROOT / "deploy/systemd/auth0-signup.service").read_text(encoding="utf-8")
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    unit_stops = milliseconds(re.search(r"^TimeoutStopSec=(.*)$", unit, re.MULTILINE)[1])
    compose_stops = milliseconds(compose["services"]["signup"]["stop_grace_period"])
    for path, environment, stops in [
        ("deploy/systemd/environment", {}, unit_stops),
        ("compose.example.env", image_environment(), compose_stops),
        ("compose.local.env", image_environment(), compose_stops),
    ]:
        with tempfile.TemporaryDirectory() as folder:
            environment = with_files(environment | env_file(ROOT / path), Path(folder))
            stop = Settings(program, path, environment).time_to_stop()
        expect(stops >= stop + SPARE, f"{path}: stopping takes up to {stop} ms, and {stops} ms are allowed")
    expect("RestartPreventExitStatus=2" in unit, "the unit restarts after wrong settings")


# Kubernetes


def check_overlay(program, name, path):
    """One overlay is valid, selects its own pods, and its settings are what the service expects."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    for document in documents:
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                expect(False, f"{name}: {document['kind']}, Kubernetes {version}: {error.message}")
    kinds = {document["kind"]: document for document in documents}
    pod = kinds["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    for kind, selector in [
        ("Deployment", lambda spec: spec["selector"]["matchLabels"]),
        ("Service", lambda spec: spec["selector"]),
        ("PodDisruptionBudget", lambda spec: spec["selector"]["matchLabels"]),
    ]:
        if kind in kinds:
            expect(selector(kinds[kind]["spec"]) == labels, f"{name}: {kind} does not select the pods")
    # The policy is also that of the Job, which has the rights of the database's owner.
    [selected] = kinds["NetworkPolicy"]["spec"]["podSelector"]["matchExpressions"]
    for kind in [kind for kind in ("Deployment", "Job") if kind in kinds]:
        label = kinds[kind]["spec"]["template"]["metadata"]["labels"][selected["key"]]
        expect(label in selected["values"], f"{name}: NetworkPolicy does not select the {kind}")
    if "Job" in kinds:
        check_job(name, kinds["Job"]["spec"]["template"], pod)
    check_container(program, name, pod["spec"], kinds["ConfigMap"]["data"])
    for kind in [kind for kind in ("Deployment", "Job") if kind in kinds]:
        for entry in kinds[kind]["spec"]["template"]["spec"]["containers"][0]["env"]:
            expect(known_variable(entry["name"]), f"{name}: {entry['name']} of the {kind} sets no key")
    return kinds


def check_job(name, pod, service):
    """Kubernetes accepts the Job, ends it only when it is done, and sends it no sign-up. Its image is the service's."""
    container = pod["spec"]["containers"][0]
    image = service["spec"]["containers"][0]["image"]
    expect(container["image"] == image, f"{name}: the Job runs {container['image']}, the service {image}")
    expect(pod["spec"].get("restartPolicy") in ("Never", "OnFailure"), f"{name}: a Job cannot restart always")
    probes = [key for key in container if key.endswith("Probe")]
    expect(not probes, f"{name}: the Job has {probes}, and listens on no port")
    selected = service["metadata"]["labels"].items() <= pod["metadata"]["labels"].items()
    expect(not selected, f"{name}: the Service selects the Job's pod")


def known_variable(name):
    """Returns whether docs/configuration.md has the variable, or it is the long form of a key in default.toml."""
    plain = name.removesuffix("_FILE")
    value = tomllib.loads((ROOT / "config/default.toml").read_text(encoding="utf-8"))
    for part in plain.removeprefix("SIGNUP__").lower().split("__"):
        value = value.get(part) if isinstance(value, dict) else None
    return value is not None or f"`{plain}`" in CONFIGURATION.read_text(encoding="utf-8")


def check_container(program, name, spec, settings_files):
    container = spec["containers"][0]
    environment = image_environment() | {entry["name"]: entry["value"] for entry in container["env"]}
    install = INSTALL.read_text(encoding="utf-8")
    for variable, value in environment.items():
        if variable.endswith("_FILE"):
            expect(f"--from-file={Path(value).name}" in install, f"{name}: install.md does not create {Path(value).name}")
    with tempfile.TemporaryDirectory() as folder:
        environment = with_files(environment, Path(folder))
        for file, text in settings_files.items():
            (Path(folder) / file).write_text(text, encoding="utf-8")
        environment["SIGNUP_CONFIG"] = str(Path(folder) / Path(environment["SIGNUP_CONFIG"]).name)
        settings = Settings(program, name, environment)
    grace, stop = spec["terminationGracePeriodSeconds"] * 1000, settings.time_to_stop()
    expect(grace >= stop + SPARE, f"{name}: stopping takes up to {stop} ms, the grace period is {grace} ms")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    expected = {"http": settings.values["http"]["port"], "admin": settings.values["admin"]["port"]}
    expect(ports == expected, f"{name}: the ports are {ports}, and the settings have {expected}")
    host = settings.values["http"]["host"]
    expect(host == "::", f"{name}: listens on {host} only")


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    check_metrics()
    check_alerts()
    write_dashboard_rules(folder / "dashboard.yml")
    write_dashboard_test(folder / "dashboard.test.yml")
    check_samples(program)
    overlays = {name: check_overlay(program, name, folder / f"{name}.yaml") for name in OVERLAYS}
    expect(overlays["restore"]["Deployment"]["spec"]["replicas"] == 0, "restore: the service has the ledger")
    fixed = overlays["openshift"]["Deployment"]["spec"]["template"]["spec"]["securityContext"]
    expect("fsGroup" not in fixed and "runAsUser" not in fixed, "openshift: fixes a user or a group")
    egress = overlays["openshift"]["NetworkPolicy"]["spec"]["egress"]
    dns = {(port["port"], port["protocol"]) for rule in egress if "openshift-dns" in str(rule) for port in rule["ports"]}
    expect(dns == {(5353, "UDP"), (5353, "TCP")}, "openshift: its DNS cannot be reached")
    for failure in failures:
        print(f"deploy: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

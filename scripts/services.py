"""Starts the emulated tenant and the service on loopback, for the scripts that measure them."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def exit_by(number, _frame):
    """Ends the script with its `finally` blocks, which Python skips when a signal ends it."""
    sys.exit(128 + number)


for number in (signal.SIGTERM, signal.SIGHUP):
    # nohup ignores SIGHUP.
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, exit_by)


def build():
    """Builds the programs, and returns their folder."""
    packages = ["--package", "auth0-signup", "--package", "auth0-emulator"]
    command = ["cargo", "build", "--locked", "--quiet", "--release", "--bins", *packages]
    subprocess.run(command, check=True, cwd=ROOT)
    return ROOT / "target/release"


def start_tenant(programs, work, processes):
    """Starts the tenant, and returns the variables that name it."""
    log = work / "tenant.log"
    # The journal is of no use here, and would grow.
    command = [programs / "auth0-emulator", "--port", "0", "--journal-limit", "1000"]
    processes.append(subprocess.Popen(command, stdout=open(log, "w"), cwd=work))
    wait_until(lambda: "\nready" in log.read_text(), log)
    lines = [line for line in log.read_text().splitlines() if line.startswith("AUTH0_")]
    return dict(line.split("=", 1) for line in lines)


class Service:
    """A running service. Each of several has a name of its own, which is that of its log."""

    def __init__(
        self, programs, work, processes, tenant, database,
        settings=None, config="config/bench.toml", name="service",
    ):
        log = work / f"{name}.log"
        environment = {
            **tenant,
            "AUTH0_DOMAIN": tenant["AUTH0_URL"],
            "DATABASE_URL": database,
            "PORT": "0",
            "SIGNUP__ADMIN__PORT": "0",
            "SIGNUP__LOG__FORMAT": "json",
            "SIGNUP__SECRETS__KEY": "k" * 32,
            **(settings or {}),
        }
        command = [programs / "auth0-signup", "serve", "--config", ROOT / config]
        output = open(log, "w")
        self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        processes.append(self.process)
        wait_until(lambda: "serving sign-ups" in log.read_text(), log)
        events = (json.loads(line) for line in log.read_text().splitlines())
        started = next(event for event in events if "public" in event)
        self.admin = started["admin"]
        self.port = int(started["public"].rsplit(":", 1)[1])
        self.files = pathlib.Path(f"/proc/{self.process.pid}")

    def resident_kb(self):
        return int((self.files / "statm").read_text().split()[1]) * PAGE_KB

    def processor_seconds(self):
        fields = (self.files / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self):
        """The metrics by name with labels."""
        text = urllib.request.urlopen(f"http://{self.admin}/metrics").read().decode()
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def stop(processes):
    """Ends the processes, the last one first."""
    for process in reversed(processes):
        process.terminate()
        process.wait()


async def sign_up(stream, person, headers=""):
    """Sends one sign-up. Returns the status, and whether the connection can be used again."""
    reader, writer = stream
    user = {"email": person, "password": "Correct-Horse-7-Battery", "given_name": "Ada"}
    body = json.dumps(user).encode()
    head = "POST /signup HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    head += f"idempotency-key: key-{person}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    writer.write(head.encode() + body)
    return await read_response(reader)


async def read_response(reader):
    """Reads a response. Returns the status, and whether the connection can be used again."""
    response = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(line for line in response.split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.split(":")[1]))
    return int(response.split(" ", 2)[1]), "connection: close" not in response


def wait_until(holds, log):
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"no start within 30 s:\n{log.read_text()}")
        time.sleep(0.05)

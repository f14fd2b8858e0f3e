#!/usr/bin/env python3
"""Measures replicas over one PostgreSQL, all on this machine: commits, what the database takes, memory,
and how soon the leases of a replica that died are taken over.

    benches/replicas.py [--program target/release/metaaccess-exporter] [--accounts 10000] [--replicas 4]
        [--interval 60] [--seconds 180] [--postgres /usr/lib/postgresql/15/bin] [--port 21950]

Needs Debian's postgresql. As root the database runs as nobody. Everything is in a folder of its own, which
is removed; all ports are on loopback."""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/metaaccess-exporter")
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--interval", type=float, default=60)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--postgres", default="/usr/lib/postgresql/15/bin")
    parser.add_argument("--port", type=int, default=21950)
    return parser.parse_args()


def cpu_seconds(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        # It has just ended: its parent has the time.
        return 0
    own = int(fields[11]) + int(fields[12])
    # Of children that have ended, too.
    return (own + int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def rss_megabytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def get(port, path="/metrics", timeout=120):
    url = f"http://127.0.0.1:{port}{path}"
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(timeout)}
    begin = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout + 10) as answer:
        body = answer.read().decode()
    return body, time.monotonic() - begin


def value(body, name):
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+-]+)$", body, re.MULTILINE)
    return sum(float(one) for one in found)


class Database:
    def __init__(self, folder, binaries, port):
        self.binaries, self.port = binaries, port
        self.data = folder / "data"
        self.prefix = []
        if os.getuid() == 0:
            self.prefix = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
            shutil.chown(folder, "nobody", "nogroup")
        run = self.prefix + [f"{binaries}/initdb", "-A", "trust", "-U", "metaaccess", "-D", str(self.data)]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        server = [f"{binaries}/postgres", "-D", str(self.data), "-p", str(port), "-k", str(folder)]
        for setting in ("listen_addresses=127.0.0.1", "max_connections=200", "shared_buffers=256MB",
                        "max_wal_size=2GB"):
            server += ["-c", setting]
        self.log = open(folder / "postgres.log", "w")
        self.process = subprocess.Popen(self.prefix + server, stdout=self.log, stderr=self.log)
        for _ in range(100):
            if subprocess.run([f"{binaries}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode == 0:
                break
            time.sleep(0.1)
        self.sql("CREATE DATABASE metaaccess", "postgres")

    def sql(self, text, database="metaaccess"):
        run = ["psql", "-XAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "metaaccess", "-d", database, "-c", text]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()

    def commits(self):
        return int(self.sql("SELECT xact_commit FROM pg_stat_database WHERE datname = 'metaaccess'"))

    def cpu(self):
        return sum(cpu_seconds(pid) for pid in [self.process.pid, *children(self.process.pid)])

    def megabytes(self):
        return int(self.sql("SELECT pg_database_size('metaaccess')")) / 2**20


def accounts_file(folder, accounts, simulator, interval):
    (folder / "tokens").mkdir()
    lines = ["accounts:"]
    for number in range(accounts):
        token = folder / "tokens" / f"{number}"
        token.write_text("00000000-0000-4000-8000-000000000000\n")
        lines.append(f"  - name: TEST-{number:05}")
        lines.append(f"    access_token_file: {token}")
    file = folder / "accounts.yml"
    file.write_text("\n".join(lines) + "\n")
    return file


def main():
    given = arguments()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="replicas-"))
    folder.chmod(0o755)
    started = []
    results = {"accounts": given.accounts, "replicas": given.replicas, "interval_s": given.interval}
    try:
        database_folder = folder / "database"
        database_folder.mkdir()
        database = Database(database_folder, given.postgres, given.port)
        started.append(database.process)
        simulator = given.port + 1
        run = [given.program, "simulate", f"--simulate.listen-address=127.0.0.1:{simulator}",
               "--simulate.rate=20", "--simulate.rate-limit=10000/1s", "--simulate.history=10m"]
        log = open(folder / "simulator.log", "w")
        started.append(subprocess.Popen(run, stdout=log, stderr=log))
        file = accounts_file(folder, given.accounts, simulator, given.interval)
        ports, replicas = [], []
        for number in range(given.replicas):
            port = given.port + 10 + number
            run = [given.program, f"--config.file={file}", f"--api.base-url=http://127.0.0.1:{simulator}",
                   f"--scrape.min-interval={given.interval * 0.9:.0f}s", f"--web.listen-address=127.0.0.1:{port}",
                   f"--state.url=postgres://metaaccess@127.0.0.1:{given.port}/metaaccess"]
            log = open(folder / f"replica-{number}.log", "w")
            begin = time.monotonic()
            replica = subprocess.Popen(run, stdout=log, stderr=log)
            started.append(replica)
            ports.append(port)
            replicas.append(replica)
        for port in ports:
            while True:
                try:
                    get(port, "/-/ready")
                    break
                except OSError:
                    time.sleep(0.1)
        results["all_listen_s"] = round(time.monotonic() - begin, 1)
        stop = threading.Event()
        took, led = [], {}

        def scrape(port, offset):
            stop.wait(offset)
            while not stop.is_set():
                begin = time.monotonic()
                try:
                    body, seconds = get(port, timeout=given.interval)
                    took.append(seconds)
                    led[port] = value(body, "metaaccess_replica_leads")
                except OSError:
                    led.pop(port, None)
                stop.wait(max(0, given.interval - (time.monotonic() - begin)))

        threads = [threading.Thread(target=scrape, args=(port, given.interval * number / len(ports)))
                   for number, port in enumerate(ports)]
        for thread in threads:
            thread.start()
        # The first reads, which are long.
        begin = time.monotonic()
        while int(database.sql("SELECT count(*) FROM metaaccess_accounts WHERE refreshed_us > 0")) < given.accounts:
            time.sleep(1)
            if time.monotonic() - begin > 900:
                break
        results["all_read_s"] = round(time.monotonic() - begin, 1)
        time.sleep(given.interval)
        before = (database.commits(), database.cpu(), [cpu_seconds(one.pid) for one in replicas], time.monotonic())
        refreshed = int(database.sql("SELECT sum(version) FROM metaaccess_accounts"))
        took.clear()
        time.sleep(given.seconds)
        seconds = time.monotonic() - before[3]
        results["commits_per_s"] = round((database.commits() - before[0]) / seconds, 1)
        results["account_commits_per_s"] = round(
            (int(database.sql("SELECT sum(version) FROM metaaccess_accounts")) - refreshed) / seconds, 1)
        results["database_cpus"] = round((database.cpu() - before[1]) / seconds, 2)
        results["replica_cpus"] = [round((cpu_seconds(one.pid) - cpu) / seconds, 2)
                                   for one, cpu in zip(replicas, before[2])]
        results["database_mb"] = round(database.megabytes(), 1)
        results["replica_rss_mb"] = [round(rss_megabytes(one.pid), 1) for one in replicas]
        results["scrape_s"] = sorted(round(one, 2) for one in took)
        results["led"] = [led.get(port) for port in ports]
        results["series"] = int(database.sql("SELECT count(*) FROM metaaccess_series"))
        # One dies: how long until all its leases are held by others, and asked by.
        dead = replicas[0]
        held = "SELECT count(*) FROM metaaccess_leases l JOIN metaaccess_replicas r ON r.id = l.holder " \
               "WHERE r.until_us > extract(epoch FROM clock_timestamp()) * 1000000"
        begin = time.monotonic()
        dead.send_signal(signal.SIGKILL)
        time.sleep(1)
        while int(database.sql("SELECT count(DISTINCT holder) FROM metaaccess_leases")) != given.replicas - 1:
            time.sleep(0.1)
        results["takeover_s"] = round(time.monotonic() - begin, 1)
        assert int(database.sql(held)) == given.accounts
        # One is told to stop.
        begin = time.monotonic()
        replicas[1].send_signal(signal.SIGTERM)
        while int(database.sql("SELECT count(DISTINCT holder) FROM metaaccess_leases")) != given.replicas - 2 \
                or int(database.sql(held)) != given.accounts:
            time.sleep(0.1)
        results["drain_s"] = round(time.monotonic() - begin, 1)
        stop.set()
        print(json.dumps(results, indent=1))
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGINT if process is started[0] else signal.SIGKILL)
            process.wait()
        if not os.environ.get("KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

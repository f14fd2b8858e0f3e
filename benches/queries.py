"""How long Prometheus takes for the overview, with the counts as scraped and as the rules record them."""
import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = ROOT / "dashboards/rules/metaaccess.rules.yml"
OVERVIEW = ROOT / "dashboards/metaaccess-overview.json"
RECORDED = "account_version_event:metaaccess_events_total:sum"
RAW = "metaaccess_events_total"
HOSTS = 5_000
VERSIONS = 10
EVENTS = ["Installed", "Compliance check", "Changed status to compliant",
          "Changed status to non-compliant"]
HOURS = 6
# Of scrapes and rules. Four times as long as is usual, so that the samples are made in a minute.
INTERVAL = 60
ROUNDS = 3
# Panels whose times are told apart, beside the whole.
PANELS = ["Installs by version", "Lines by event", "Installs", "Busiest hosts"]


def queries(folder, program_of, free_port, middle):
    """Rows of a table: panels, and milliseconds either way. The last is all panels one after the other."""
    path = os.environ["PATH"] + os.pathsep + str(tools())
    prometheus, promtool = (shutil.which(name, path=path) for name in ("prometheus", "promtool"))
    end = int(time.time()) // 7200 * 7200 - 7200
    data = folder / "prometheus"
    samples = folder / "samples.txt"
    write_samples(samples, end)
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", samples, data], **quiet)
    samples.unlink()
    config = folder / "prometheus.yml"
    config.write_text("{}")
    port = free_port()
    command = [prometheus, f"--config.file={config}", f"--storage.tsdb.path={data}",
               "--storage.tsdb.retention.time=30d", f"--web.listen-address=127.0.0.1:{port}"]
    with program_of(command, port, "/-/ready") as program:
        ready(program)
        recorded = folder / "recorded"
        subprocess.run([promtool, "tsdb", "create-blocks-from", "rules", f"--start={end - HOURS * 3600}",
                        f"--end={end}", f"--url=http://127.0.0.1:{port}", f"--eval-interval={INTERVAL}s",
                        f"--output-dir={recorded}", first_recorded(folder)], **quiet)
    for block in recorded.iterdir():
        shutil.move(block, data / block.name)
    with program_of(command, port, "/-/ready") as program:
        ready(program)
        return measured(program, end, middle)


def tools():
    """Where the tests unpack Debian's Prometheus."""
    subprocess.run([ROOT / "tests/run", "--tools"], check=True, stdout=subprocess.DEVNULL)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "test-tools"


def ready(program):
    for _ in range(600):
        try:
            return program.wait()
        except RuntimeError:
            time.sleep(0.1)
    raise RuntimeError("Prometheus is not ready")


def write_samples(file, end):
    """Every host has a series for each event, which grows by one in most hours."""
    times = range(end - HOURS * 3600, end, INTERVAL)
    with open(file, "w") as out:
        out.write(f"# TYPE {RAW[:-6]} counter\n")
        for host in range(HOSTS):
            for nth, event in enumerate(EVENTS):
                labels = (f'account="default",event_type="device",category="MetaAccess",'
                          f'version="7.6.{host % VERSIONS}.0",hostname="TEST-{host:05}",event="{event}",'
                          f'instance="exporter.example.com:19720",job="metaaccess"')
                phase = host * 7 + nth * 11
                out.writelines(f"{RAW}{{{labels}}} {(at // 60 + phase) // 75 - (times[0] // 60 + phase) // 75} {at}\n"
                               for at in times)
        out.write("# TYPE metaaccess_up gauge\n")
        out.writelines(f'metaaccess_up{{account="default",instance="exporter.example.com:19720",job="metaaccess"}} 1 {at}\n'
                       for at in times)
        out.write("# EOF\n")


def first_recorded(folder):
    """The rule of the counts without hosts, alone: the other rules are not read by the overview."""
    text = RULES.read_text()
    rule = text[text.index(f"  - record: {RECORDED}\n"):]
    rule = rule[:rule.index("\n  - ", 1) + 1]
    file = folder / "rules.yml"
    file.write_text(f"groups:\n- name: recorded\n  rules:\n{rule}")
    return file


def measured(program, end, middle):
    dashboard = json.loads(OVERVIEW.read_text())
    rows, all_of_it = [], {RAW: 0.0, RECORDED: 0.0}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            took = {counts: middle(times_of(program, panel, target, counts, end)) for counts in all_of_it}
            for counts in all_of_it:
                all_of_it[counts] += took[counts]
            if panel["title"] in PANELS:
                rows.append([panel["title"], took[RAW], took[RECORDED]])
    rows.sort(key=lambda row: PANELS.index(row[0]))
    return rows + [["the whole dashboard", all_of_it[RAW], all_of_it[RECORDED]]]


def times_of(program, panel, target, counts, end):
    seconds = HOURS * 3600
    step = max(seconds // panel.get("maxDataPoints", 600), INTERVAL)
    expr = target["expr"].replace("$counts", counts)
    for name, value in [("$__rate_interval", f"{max(step + INTERVAL, 4 * INTERVAL)}s"),
                        ("$__interval", f"{step}s"), ("$__range", f"{seconds}s")]:
        expr = expr.replace(name, value)
    for name in ("$account", "$event_type", "$version", "$event"):
        expr = expr.replace(name, ".*")
    asked = {"query": expr, "time": end} if target.get("instant") else {
        "query": expr, "start": end - seconds, "end": end, "step": step}
    path = "/api/v1/query" if target.get("instant") else "/api/v1/query_range"
    took = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        program.ask("GET", f"{path}?{urllib.parse.urlencode(asked)}")
        took.append(time.perf_counter() - begin)
    return took

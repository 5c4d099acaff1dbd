#!/usr/bin/env python3
"""bench -- runs the programs and scripts of bench/list and prints medians.

    tools/run_benches.py [--full] [name...]     (tools/bench sets the machine up first)

Each line `bench: <name of the figure> <number> <unit>` that one prints is a measurement; those of
the same name are gathered, and the table at the end has their median, least and most. All else
that they print is passed on. They run in the root of the source tree with

    BRAID, BRAID_BUILD   the command that was built (gcc, -O2) and its build folder
    BENCH_FULL           1 with --full, else 0
    BENCH_RUNS           how often to measure what is quick to measure (5)
    BENCH_SCRATCH        a folder for what they write, emptied before each

The table is also written to BRAID_BUILD/bench.txt.
"""
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURE = re.compile(r"^bench: (.+?) +(-?[0-9][0-9.,]*(?:[eE][-+]?[0-9]+)?) +(\S+)$")
RUNNERS = {".py": [sys.executable], ".sh": ["bash"], ".mjs": ["node"]}


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    models = re.findall(r"^(?:model name|Model name|CPU part)\s*:\s*(.+)$",
                        Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kib = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    compiler = command_output("gcc", "--version").splitlines()
    return [f"cores:    {len(os.sched_getaffinity(0))}",
            f"CPU:      {models[0] if models else platform.machine()}",
            f"memory:   {int(kib.group(1)) / 1048576:.1f} GiB" if kib else "memory:   unknown",
            f"system:   {platform.system()} {platform.release()} {platform.machine()}",
            f"compiler: {compiler[0] if compiler else 'unknown'}, -O2"]


def listed(full, wanted):
    names = []
    for line in (ROOT / "bench" / "list").read_text().splitlines():
        words = line.split("#")[0].split()
        if not words or (wanted and words[0] not in wanted):
            continue
        if "full" in words[1:] and not full and words[0] not in wanted:
            continue
        names.append(words[0])
    return names


def shell(*command):
    """Runs a step of the set-up; its failure ends the bench."""
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(f"bench: {' '.join(str(word) for word in command)} failed")


def prepare(build, names):
    programs = [f"bench/{name}" for name in names if name.startswith("bench_")]
    shell("bash", "-c", '. tools/common.sh; dir=$1; shift; configure "$dir" gcc g++; '
          'compile "$dir" "$@"', "tools/bench", str(build),
          *(["braid"] if (ROOT / "src/cli/main.c").exists() else []), *programs)
    # Peers in *.mjs are called by the programs that compare with them.
    if (ROOT / "bench/package.json").exists() and not (ROOT / "bench/node_modules").exists():
        print("Installing the packages of bench/package.json", file=sys.stderr)
        shell("npm", "--prefix", "bench", "install", "--no-package-lock", "--no-audit", "--no-fund")


def run(name, build, environment, figures):
    """Runs one; its figures are added. Returns whether it left with status 0."""
    scratch = Path(environment["BENCH_SCRATCH"])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    command = [*RUNNERS[Path(name).suffix], f"bench/{name}"] if Path(name).suffix else \
        [str(build / "bench" / name)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, errors="replace")
    for line in process.stdout:
        print(line, end="", flush=True)
        match = FIGURE.match(line.rstrip())
        if match:
            label, number, unit = match.groups()
            figures.setdefault((label, unit), []).append(float(number.replace(",", "")))
    status = process.wait()
    shutil.rmtree(scratch, ignore_errors=True)
    if status != 0:
        print(f"bench: {name} failed with status {status}", flush=True)
    return status == 0


def table(figures):
    width = max([len(label) for label, _ in figures] + [6])
    lines = [f"{'figure':<{width}}  {'median':>12}  {'least':>12}  {'most':>12}  {'runs':>4}  unit"]
    for (label, unit), values in figures.items():
        numbers = "  ".join(f"{value:>12,.5g}" if value < 1000 else f"{value:>12,.0f}" for value in (
            statistics.median(values), min(values), max(values)))
        lines.append(f"{label:<{width}}  {numbers}  {len(values):>4}  {unit}")
    return lines


def main(arguments):
    full = "--full" in arguments
    wanted = [a for a in arguments if not a.startswith("-")]
    build = Path(os.environ.get("BRAID_BUILD_ROOT") or ROOT) / "build"
    names = listed(full, wanted)
    if not names:
        print("bench: nothing to run in bench/list")
        return 2 if wanted else 0
    prepare(build, names)
    environment = dict(os.environ, BRAID=str(build / "braid"), BRAID_BUILD=str(build),
                       BENCH_FULL=str(int(full)), BENCH_SCRATCH=str(build / "bench-scratch"))
    environment.setdefault("BENCH_RUNS", "5")
    head = machine()
    print("\n".join(head), flush=True)
    figures = {}
    failed = []
    for name in names:
        started = time.monotonic()
        print(f"== {name}", flush=True)
        if not run(name, build, environment, figures):
            failed.append(name)
        print(f"== {name}: {time.monotonic() - started:.1f} s", flush=True)
    lines = table(figures)
    (build / "bench.txt").write_text("\n".join([*head, "", *lines]) + "\n")
    print("\n" + "\n".join([*head, "", *lines]))
    if failed:
        print("bench: failed: " + " ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

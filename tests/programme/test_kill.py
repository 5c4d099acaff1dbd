#!/usr/bin/env python3
"""A run that is killed at any moment, or whose files cannot grow any further, is simply run again:
the result is that of a run that was not, nothing is posted twice, and the books balance."""
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
KILLS = 100


def command(out):
    return [BRAID, "run", "programmes/starter", "--data", "examples/sample", "--out", str(out),
            "--quiet", "--recorded-at", "2021-01-05T00:00:00Z"]


def files(out):
    names = ["report.html", "measure/registers.ndjson", "measure/gaps.ndjson",
             "measure/indicators.json", "measure/practices.json", "settle/lines.ndjson"]
    return {name: (out / name).read_bytes() for name in names}


def figures(out):
    """The result without what this very run posted, which is less after one that was killed."""
    result = json.loads((out / "result.json").read_text())
    result["settle"].pop("posting")
    return result


def entries(out):
    with sqlite3.connect(f"file:{out}/ledger.sqlite?mode=ro", uri=True) as database:
        return database.execute("select count(*) from entry").fetchone()[0]


def limited(size):
    """Before the command begins: no file may become larger. The write then fails, as on a full
    disk; that the signal for it does not end the process is the command's doing."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def run_out_of_room(folder, whole):
    """The command says that it cannot write (5), and what is there stays good to go on from."""
    wrong = []
    # A sanitizer's run-time writes a file of its own before the command's first line.
    sizes = (0,) if not os.environ.get("BRAID_SANITIZED") else ()
    for number, size in enumerate((*sizes, 100, 500, 2000, 5000, 10000, 20000, 40000, 80000)):
        out = Path(folder) / f"full-{number}"
        failing = subprocess.run(command(out), cwd=ROOT, check=False, capture_output=True, text=True,
                                 preexec_fn=limited(size))
        again = subprocess.run(command(out), cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        if failing.returncode != 5:
            wrong.append(f"files of {size} bytes at most: ends with {failing.returncode}: "
                         f"{failing.stderr}")
        elif again.returncode != 0 or files(out) != files(whole) or entries(out) != entries(whole):
            wrong.append(f"files of {size} bytes at most: the run after it ends otherwise")
        else:
            wrong.append(None)
    return wrong


def main():
    rng = random.Random(7)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        began = time.monotonic()
        subprocess.run(command(whole), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        killed = 0
        for number in range(KILLS):
            out = Path(folder) / f"out-{number // 10}"  # ten kills over the same folder
            process = subprocess.Popen(command(out) + (["--force"] if number % 10 else []), cwd=ROOT,
                                       stdout=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, seconds))
            process.kill()
            killed += process.wait() < 0
            if number % 10 != 9:
                continue
            again = subprocess.run(command(out), cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
            holds = (again.returncode == 0 and files(out) == files(whole)
                     and figures(out) == figures(whole) and entries(out) == entries(whole)
                     and figures(out)["settle"]["ledger"]["trial_balance_minor"] == 0)
            passed += holds
            failed += not holds
            if not holds:
                print(f"after kill {number + 1} the run ends with {again.returncode}, "
                      "or with another result")
        for wrong in run_out_of_room(folder, whole):
            passed += wrong is None
            failed += wrong is not None
            if wrong:
                print(wrong)
        if killed == 0:
            failed += 1
            print("no run was killed in time")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

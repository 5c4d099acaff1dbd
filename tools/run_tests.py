#!/usr/bin/env python3
"""run_tests -- runs every test of a build folder and sums them up.

    tools/run_tests.py BUILD_DIR [--if-any] [folder...]

Tests are the executables that meson made of tests/<folder>/ (BUILD_DIR/tests/test_<folder>), the
scripts tests/<folder>/test_*.py and tests/<folder>/test_*.sh, and the corpus of each fuzz target
(one test a target). They run one after the other in the root of the source tree, with

    BRAID        the command that was built
    BRAID_BUILD  the build folder

in their environment, and each closes with `N passed, N failed` or `N passed, N failed, N skipped`.
A test that crashes, runs longer than BRAID_TEST_SECONDS (900), closes without that line or leaves
with another status than it should counts as one failure more. The last line of all is the sum.
"""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


def programs(build):
    """(folder, label, command) of each executable that meson would build from tests/ and fuzz/."""
    targets = json.loads((build / "meson-info" / "intro-targets.json").read_text())
    found = []
    for target in targets:
        if target["type"] != "executable":
            continue
        path = Path(target["filename"][0])
        if path.parent.name == "tests" and path.name.startswith("test_"):
            found.append((path.name[len("test_"):], path.name, [str(path)]))
        elif path.parent.name == "fuzz" and path.name.endswith("_replay"):
            name = path.name[: -len("_replay")]
            corpus = ROOT / "fuzz" / "corpus" / name
            if corpus.is_dir():
                found.append(("fuzz", path.name, [str(path), str(corpus.relative_to(ROOT))]))
    return found


def scripts():
    found = []
    for path in sorted(ROOT.glob("tests/**/test_*")):
        if path.suffix == ".py":
            command = [sys.executable, str(path.relative_to(ROOT))]
        elif path.suffix == ".sh":
            command = ["bash", str(path.relative_to(ROOT))]
        else:
            continue
        relative = path.relative_to(ROOT / "tests")
        folder = relative.parts[0] if len(relative.parts) > 1 else "system"
        found.append((folder, str(relative), command))
    return found


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(label, command, environment, seconds_max):
    """Runs one test, passing its output on line by line. Returns (passed, failed, skipped)."""
    started = time.monotonic()
    try:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
    except OSError as error:
        print(f"{label}: cannot be started: {error}", flush=True)
        return 0, 1, 0
    timed_out = threading.Event()

    def stop():
        timed_out.set()
        kill_group(process)

    timer = threading.Timer(seconds_max, stop)
    timer.start()
    summary = None
    try:
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if summary is not None:
                print(summary.group(0))
            # Held back: if it is the last line, it is told with the label instead.
            summary = SUMMARY.match(line)
            if summary is None:
                print(line, flush=True)
        status = process.wait()
    finally:
        timer.cancel()
        kill_group(process)
    passed, failed, skipped = (int(n or 0) for n in summary.groups()) if summary else (0, 0, 0)
    if timed_out.is_set():
        wrong = f"stopped after {seconds_max} s"
    elif status < 0:
        wrong = f"ended by {signal.Signals(-status).name}"
    elif summary is None:
        wrong = f"closed without a summary, with status {status}"
    elif status != 0 and failed == 0:
        wrong = f"nothing failed, but its status is {status}"
    elif status == 0 and failed > 0:
        wrong = "tests failed, but its status is 0"
    else:
        wrong = None
    if wrong is not None:
        failed += 1
        print(f"{label}: {wrong}")
    skips = f", {skipped} skipped" if skipped else ""
    seconds = time.monotonic() - started
    print(f"{label}: {passed} passed, {failed} failed{skips} in {seconds:.1f} s", flush=True)
    return passed, failed, skipped


def main(arguments):
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip().splitlines()[2].strip(), file=sys.stderr)
        return 2
    build = Path(arguments[0]).resolve()
    if_any = "--if-any" in arguments
    wanted = [a.rstrip("/").removeprefix("tests/") for a in arguments[1:] if a != "--if-any"]
    tests = [t for t in programs(build) + scripts() if not wanted or t[0] in wanted]
    for folder in wanted if not if_any else []:
        if all(folder != test[0] for test in tests):
            print(f"there are no tests of '{folder}'", file=sys.stderr)
            return 2
    environment = dict(os.environ, BRAID=str(build / "braid"), BRAID_BUILD=str(build),
                       PYTHONPATH=str(ROOT / "tests"), PYTHONDONTWRITEBYTECODE="1")
    seconds_max = int(os.environ.get("BRAID_TEST_SECONDS", "900"))
    totals = [0, 0, 0]
    broken = []
    for folder, label, command in tests:
        print(f"== {label}", flush=True)
        result = run(label, command, environment, seconds_max)
        if folder == "fuzz":  # a corpus is one test, whatever its size
            result = (int(result[1] == 0), int(result[1] != 0), 0)
        totals = [total + count for total, count in zip(totals, result)]
        if result[1]:
            broken.append(label)
    if broken:
        print("failed: " + " ".join(broken))
    skips = f", {totals[2]} skipped" if totals[2] else ""
    print(f"{totals[0]} passed, {totals[1]} failed{skips}", flush=True)
    nothing_ran = totals[0] == 0 and not if_any
    return 1 if totals[1] or nothing_ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""clang_tidy -- runs clang-tidy over the C files of a build folder, with a cache of the results.

    tools/clang_tidy.py BUILD_DIR [file...]

A result is kept under a hash of all that it depends on: the file, every header of this tree that
it includes however deep, .clang-tidy, the compiler's arguments and clang-tidy's version. The
cache is BRAID_TIDY_CACHE, or braid/clang-tidy in the user's cache folder, so that a fresh clone
checks only what no clone before it has.

TIDY_SECONDS sets a limit: files that are not begun by then are named and left out, and do not
make the run fail. BRAID_JOBS (2 at most by default) is the number of files at once.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANALYZER = ROOT / "tools" / "analyzer.h"
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
NOISE = re.compile(r"^(\d+ warnings? (generated|treated as error)|Suppressed \d+ warnings|"
                   r"Use -header-filter|Error while processing|\d+ warnings and)")
# A file of ours at the start of a message, whatever way the build folder leads to it.
OUR_FILE = re.compile(r"^(?:/|\.\./)(?:\S*/)?((?:src|tests|bench|fuzz)/[^:\s]+:\d+)", re.MULTILINE)


def cache_folder():
    if os.environ.get("BRAID_TIDY_CACHE"):
        return Path(os.environ["BRAID_TIDY_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "braid" / "clang-tidy"


class Inputs:
    """Contents of files and what they include, read once."""

    def __init__(self, build):
        self.folders = [ROOT / "src", ROOT, build / "src"]
        self.folders += sorted(path for path in (build / "src").glob("*") if path.is_dir())
        self.known = {}

    def read(self, path):
        if path not in self.known:
            content = path.read_bytes()
            self.known[path] = (hashlib.sha256(content).digest(), INCLUDE.findall(content))
        return self.known[path]

    def find(self, name, includer):
        for folder in [includer.parent, *self.folders]:
            candidate = (folder / name).resolve()
            if candidate.is_file():
                return candidate
        return None

    def closure(self, path):
        """The file and every header it includes, as a sorted list of digests."""
        seen = {path}
        waiting = [path]
        while waiting:
            current = waiting.pop()
            for name in self.read(current)[1]:
                found = self.find(name.decode(errors="replace"), current)
                if found is not None and found not in seen:
                    seen.add(found)
                    waiting.append(found)
        return sorted(self.read(one)[0] for one in seen)


def key_of(path, entry, inputs, version, build):
    command = entry["command"].replace(str(build), "BUILD").replace(str(ROOT), "ROOT")
    command = re.sub(r"(\.\./)+|[^ ]*BUILD[^ ]*|ROOT/?", "", command)  # where the clone lies
    digest = hashlib.sha256()
    configs = [folder / ".clang-tidy" for folder in path.parents if folder.is_relative_to(ROOT)]
    settings = [config.read_text() for config in configs if config.exists()]
    for part in [version, str(path.relative_to(ROOT)), command, ANALYZER.read_text(), *settings]:
        digest.update(part.encode() + b"\0")
    for one in inputs.closure(path):
        digest.update(one)
    return digest.hexdigest()


def tidy(path, build):
    command = ["clang-tidy", "--quiet", "-p", str(build), str(path)]
    if path != ROOT / "src/base/err.c":  # which defines what the header is about
        command[1:1] = [f"--extra-arg-before=-include{ANALYZER}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).splitlines()
    text = "\n".join(line for line in lines if not NOISE.match(line))
    return result.returncode, OUR_FILE.sub(r"\1", text).strip()


class Run:
    def __init__(self, build):
        self.build = build
        self.inputs = Inputs(build)
        self.cache = cache_folder()
        self.cache.mkdir(parents=True, exist_ok=True)
        self.version = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True,
                                      check=True).stdout
        self.deadline = time.monotonic() + float(os.environ.get("TIDY_SECONDS") or "inf")
        self.left_out = []
        self.from_cache = 0

    def check(self, job):
        """(ok, text) of one file, from the cache where it has it."""
        path, key = job
        kept = self.cache / key
        if kept.exists():
            self.from_cache += 1
            status, _, text = kept.read_text().partition("\n")
            return status == "0", text
        if time.monotonic() > self.deadline:
            self.left_out.append(str(path.relative_to(ROOT)))
            return True, ""
        status, text = tidy(path, self.build)
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_text(f"{status}\n{text}")
        unfinished.replace(kept)
        return status == 0, text


def jobs_of(build, wanted, run):
    """(path, key) of each C file of this tree that the build compiles."""
    jobs = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (Path(entry["directory"]) / entry["file"]).resolve()
        if path.suffix != ".c" or not path.is_relative_to(ROOT) or path.is_relative_to(build):
            continue
        if wanted and str(path.relative_to(ROOT)) not in wanted:
            continue
        if path not in jobs:
            jobs[path] = key_of(path, entry, run.inputs, run.version, build)
    return sorted(jobs.items())


def main(arguments):
    if not arguments:
        print(__doc__.strip().splitlines()[2].strip(), file=sys.stderr)
        return 2
    build = Path(arguments[0]).resolve()
    run = Run(build)
    wanted = {str(Path(name).resolve().relative_to(ROOT)) for name in arguments[1:]}
    jobs = jobs_of(build, wanted, run)
    workers = int(os.environ.get("BRAID_JOBS") or min(os.cpu_count() or 1, 2))
    failed = 0
    told = set()  # a finding in a header comes with every file that includes it
    with ThreadPoolExecutor(workers) as pool:
        for done, (job, (ok, text)) in enumerate(zip(jobs, pool.map(run.check, jobs)), 1):
            failed += not ok
            fresh = [line for line in text.splitlines() if ": error:" not in line
                     or line not in told]
            told.update(fresh)
            if not ok and fresh:
                print("\n".join(fresh), flush=True)
            if sys.stderr.isatty():
                print(f"\rclang-tidy {done}/{len(jobs)}  ", end="", file=sys.stderr, flush=True)
    print(f"clang-tidy: {len(jobs)} files, {run.from_cache} known from before, {failed} with findings")
    if run.left_out:
        print(f"clang-tidy: no time for {len(run.left_out)} files: " + " ".join(run.left_out))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

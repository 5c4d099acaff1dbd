#!/usr/bin/env python3
"""The command's manners: exit codes, hints, JSON, no terminal codes, what stays whole."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
SAMPLE = str(ROOT / "examples" / "sample")
STARTER = str(ROOT / "programmes" / "starter")
OK, REFUSED, USAGE, DOCUMENT, INPUT, IO, DAMAGED, BUSY = range(8)


class Tests:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.passed = 0
        self.failed = 0

    def braid(self, *arguments, text=None):
        return subprocess.run([BRAID, *map(str, arguments)], cwd=self.folder, input=text,
                              capture_output=True, text=True, check=False)

    def check(self, what, holds):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"{what}: does not hold")

    def ends(self, code, *arguments, says=None, text=None):
        """The command ends with this code, and its error says this."""
        result = self.braid(*arguments, text=text)
        told = result.stdout + result.stderr
        if result.returncode == code and (says is None or says in told):
            self.passed += 1
        else:
            self.failed += 1
            print(f"braid {' '.join(map(str, arguments))}: ended with {result.returncode} "
                  f"instead of {code}, or does not say {says!r}:\n{told[:2000]}")
        return result

    def usage(self):
        self.ends(USAGE, says="no command was given")
        self.ends(USAGE, "laod", says="did you mean 'load'?")
        self.ends(USAGE, "store", says="needs one of: info, check, person")
        self.ends(USAGE, "store", "chekc", "x", says="did you mean 'store check'?")
        self.ends(USAGE, "load", SAMPLE, "--stroe", "x", says="did you mean --store?")
        self.ends(USAGE, "load", SAMPLE, "--threads", says="needs a value")
        self.ends(USAGE, "load", SAMPLE, "--store", "s", "--threads", "none", says="whole number")
        self.ends(USAGE, "load", SAMPLE, "--store", "s", "--memory", "1Q", says="is no size")
        self.ends(USAGE, "load", SAMPLE, "--store", "s", "--memory", "63M", says="less than 64M")
        self.ends(USAGE, "load", SAMPLE, "--store", "s", "--json=1", says="takes no value")
        self.ends(USAGE, "load", SAMPLE, says="needs --store")
        self.ends(USAGE, "load", "-x", says="two dashes")
        self.ends(USAGE, "run", STARTER, "--out", "o", says="needs --data")
        self.ends(USAGE, "measure", STARTER, says="needs --out")
        self.ends(USAGE, "settle", STARTER, "--out", "o", "--through", "2020-02-30", says="no day")
        self.ends(USAGE, "settle", STARTER, "--out", "o", "--recorded-at", "2020", says="no time")
        self.ends(USAGE, "version", "x", says="what is 'x'?")
        self.ends(OK, "help", says="Commands:")
        self.ends(OK, "--help", says="Commands:")
        self.ends(OK, "load", "--help", says="Usage: braid load")
        self.ends(OK, "help", "store", says="store check")
        self.ends(USAGE, "help", "lod", says="did you mean 'load'?")
        self.ends(OK, "--version", says="braid ")

    def loading(self):
        result = self.ends(OK, "load", SAMPLE, "--store", "store", "--json")
        self.check("load --json is one document", json.loads(result.stdout)["persons"] == 24)
        self.check("progress has no terminal codes", "\033" not in result.stderr + result.stdout)
        self.check("progress is told", "load" in result.stderr or "parse" in result.stderr
                   or "read" in result.stderr)
        quiet = self.braid("load", SAMPLE, "--store", "store", "--quiet")
        self.check("--quiet is quiet", quiet.stderr == "" and quiet.returncode == OK)
        self.ends(INPUT, "load", "nothing-here", "--store", "store2")
        bad = '{"resourceType":"Patient","id":"a"}\n{"resourceType":"Patient","id":"b","oops":1}\n'
        result = self.ends(REFUSED, "load", "-", "--store", "store3", "--refused", "refused.ndjson",
                           "--findings", "findings.ndjson", "--json", text=bad)
        self.check("the good is loaded", json.loads(result.stdout)["persons"] == 1)
        self.check("the refused are kept", "oops" in (self.folder / "refused.ndjson").read_text())
        finding = json.loads((self.folder / "findings.ndjson").read_text().splitlines()[0])
        self.check("findings name the line", finding["line"] == 2 and "oops" in finding["path"])

    def mending(self):
        """A mended file must not be overwritten by the load that reads it."""
        (self.folder / "in.ndjson").write_text('{"resourceType":"Patient","id":"b","oops":1}\n')
        self.ends(REFUSED, "load", "in.ndjson", "--store", "m", "--refused", "m.ndjson")
        (self.folder / "m.ndjson").write_text('{"resourceType":"Patient","id":"b"}\n')
        self.ends(USAGE, "load", "in.ndjson", "m.ndjson", "--store", "m", "--refused", "m.ndjson",
                  says="is read as a source")
        self.ends(USAGE, "load", ".", "--store", "elsewhere", "--findings", "./f.ndjson")
        self.ends(REFUSED, "load", "in.ndjson", "m.ndjson", "--store", "m", "--refused", "n.ndjson")
        self.check("the mended file is whole", "oops" not in (self.folder / "m.ndjson").read_text())
        (self.folder / "out5").mkdir()
        shutil.copy(self.folder / "m.ndjson", self.folder / "out5" / "refused.ndjson")
        self.ends(USAGE, "run", STARTER, "--data", "out5/refused.ndjson", "--out", "out5",
                  says="is read as a source")
        self.ends(USAGE, "run", STARTER, "--data", ".", "--out", "out6", says="is read as a source")

    def not_replaced(self):
        """What is no file is left alone: nobody wants a file in the place of /dev/null."""
        os.mkfifo(self.folder / "pipe")
        (self.folder / "link").symlink_to("f.ndjson")
        for path in ("pipe", "link"):
            for option in ("--refused", "--findings"):
                self.ends(USAGE, "load", SAMPLE, "--store", "s", option, path, says="is no file")
            self.ends(USAGE, "run", STARTER, "--data", SAMPLE, "--out", path, says="is no file")
        self.check("pipe and link are there", (self.folder / "pipe").is_fifo()
                   and (self.folder / "link").is_symlink())

    def closed_streams(self):
        line = f'"{BRAID}" load in.ndjson --store closed --findings closed.ndjson >&- 2>&- <&-'
        subprocess.run(["bash", "-c", line], cwd=self.folder, check=False)
        text = (self.folder / "closed.ndjson").read_text()
        self.check("nothing but findings is written into a file when streams are closed",
                   all(json.loads(row)["rule"] for row in text.splitlines()) and text)

    def stores(self):
        result = self.ends(OK, "store", "info", "store", "--json")
        self.check("store info", json.loads(result.stdout)["persons"] == 24)
        self.ends(OK, "store", "check", "store")
        result = self.ends(OK, "store", "person", "store", "person-03")
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.check("a person's resources", any(r["resourceType"] == "Patient" and
                                               r["id"] == "person-03" for r in rows))
        self.ends(INPUT, "store", "person", "store", "nobody")
        self.ends(INPUT, "store", "info", "no-store")
        shutil.copytree(self.folder / "store", self.folder / "damaged")
        largest = max((p for p in (self.folder / "damaged").rglob("*") if p.is_file()),
                      key=lambda p: p.stat().st_size)
        data = bytearray(largest.read_bytes())
        data[len(data) // 2] ^= 0x55
        largest.write_bytes(data)
        self.ends(DAMAGED, "store", "check", "damaged")

    def documents(self):
        self.ends(OK, "contract", "check", f"{STARTER}/contract.yaml", "--programme", STARTER)
        self.ends(OK, "contract", "explain", f"{STARTER}/contract.yaml", says="Clause 1")
        self.ends(OK, "cql", "check", f"{STARTER}/cql", "--value-sets", f"{STARTER}/valuesets",
                  says="On the Diabetes Register")
        self.ends(INPUT, "cql", "check", "nothing-here")
        self.ends(INPUT, "measure", "no-programme", "--out", "o", says="programme.yaml")
        broken = self.folder / "broken"
        shutil.copytree(STARTER, broken)
        text = (broken / "programme.yaml").read_text()
        text = text.replace("numerator: LDL Measured", "numerator: LDL Mesured")
        text = text.replace("register: hypertension\n    library: Starter\n    exclusion",
                            "register: hypertensoin\n    library: Starter\n    exclusion", 1)
        (broken / "programme.yaml").write_text(text)
        self.ends(DOCUMENT, "measure", broken, "--store", "store", "--out", "o", says="hypertensoin")
        text = text.replace("hypertensoin", "hypertension")
        (broken / "programme.yaml").write_text(text)
        result = self.ends(DOCUMENT, "measure", broken, "--store", "store", "--out", "o",
                           says='did you mean "LDL Measured"?')
        self.check("a finding has file and line", "broken/programme.yaml:" in result.stderr)
        late = text.replace("LDL Mesured", "LDL Measured").replace("to: 2020-12-31", "to: 9999-12-31")
        (broken / "programme.yaml").write_text(late)
        self.ends(DOCUMENT, "measure", broken, "--store", "store", "--out", "o", says="9999-12-31")
        text = text.replace("LDL Mesured", "LDL Measured").replace("title: Diabetes\n", "titel: D\n")
        (broken / "programme.yaml").write_text(text)
        self.ends(DOCUMENT, "run", broken, "--data", SAMPLE, "--out", "o2", says="titel")
        self.check("nothing is done with documents in error", not (self.folder / "o2").exists())
        cql = broken / "cql" / "Starter.cql"
        cql.write_text(cql.read_text().replace("exists \"LDL Results\"", "exists \"LDL Resluts\""))
        self.ends(DOCUMENT, "cql", "check", broken / "cql", "--value-sets", broken / "valuesets",
                  says="Starter.cql:")

    def running(self):
        first = self.ends(OK, "run", STARTER, "--data", SAMPLE, "--out", "out", "--json")
        result = json.loads(first.stdout)
        self.check("the books balance", result["settle"]["ledger"]["trial_balance_minor"] == 0)
        self.check("it is what result.json says",
                   first.stdout == (self.folder / "out" / "result.json").read_text())
        page = (self.folder / "out" / "report.html").read_text()
        self.check("the report is one page without addresses",
                   "<dialog" in page and "src=" not in page and "<link" not in page)
        again = self.ends(OK, "run", STARTER, "--data", SAMPLE, "--out", "out", says="skipped")
        self.check("every stage is passed over", again.stderr.count("skipped") == 4)
        self.check("the result is the same", "person-" not in again.stdout
                   and (self.folder / "out" / "result.json").read_text() == first.stdout)
        forced = self.ends(OK, "run", STARTER, "--data", SAMPLE, "--out", "out", "--force", "--json")
        posting = json.loads(forced.stdout)["settle"]["posting"]
        self.check("nothing is posted twice", posting["entries"] == 0 and posting["unchanged"] > 0)
        self.check("the report is the same bytes on one thread and two", self.same_bytes())
        self.ends(OK, "measure", STARTER, "--store", "out/store", "--out", "parts")
        self.ends(OK, "settle", STARTER, "--store", "out/store", "--out", "parts")
        self.ends(OK, "report", STARTER, "--store", "out/store", "--out", "parts")
        self.ends(OK, "settle", STARTER, "--store", "out/store", "--out", "dry", "--dry-run",
                  says="dry run")
        self.check("a dry run makes no ledger", not (self.folder / "dry/ledger.sqlite").exists())

    def books(self):
        self.ends(OK, "ledger", "verify", "out/ledger.sqlite", says="39 entries")
        result = self.ends(OK, "ledger", "trial-balance", "out/ledger.sqlite", "--json")
        balance = json.loads(result.stdout)
        self.check("the trial balance", balance["balance_minor"] == 0
                   and balance["debit_minor"] == balance["credit_minor"] == 135750)
        part = self.ends(OK, "ledger", "trial-balance", "out/ledger.sqlite", "--through", "2020-06-30",
                         "--json")
        self.check("to the middle of the year",
                   0 < json.loads(part.stdout)["debit_minor"] < balance["debit_minor"])
        self.ends(OK, "ledger", "trial-balance", "out/ledger.sqlite", says="1,357.50")
        self.ends(INPUT, "ledger", "verify", "nothing.sqlite")
        for number, change in enumerate(("delete from entry where id = 5",
                                         "update account set debit = debit + 1 where id = 1",
                                         "update entry set memo = 'x' where id = 2")):
            out = self.folder / f"tampered-{number}"
            shutil.copytree(self.folder / "out", out)
            with sqlite3.connect(out / "ledger.sqlite") as database:
                try:
                    database.execute(change)
                except sqlite3.OperationalError as error:
                    self.check(f"{change}: {error}", False)
            self.ends(DAMAGED, "ledger", "verify", out / "ledger.sqlite")
            self.ends(DAMAGED, "run", STARTER, "--data", SAMPLE, "--out", out)
            self.ends(DAMAGED, "settle", STARTER, "--store", out / "store", "--out", out)

    def same_bytes(self):
        reports = []
        for threads in (1, 2):
            out = f"threads-{threads}"
            self.braid("run", STARTER, "--data", SAMPLE, "--out", out, "--threads", threads,
                       "--recorded-at", "2021-01-05T00:00:00Z")
            reports.append([(self.folder / out / name).read_bytes() for name in
                            ("report.html", "measure/gaps.ndjson", "measure/registers.ndjson",
                             "measure/practices.json", "settle/lines.ndjson", "result.json")])
        return reports[0] == reports[1]

    def failing(self):
        if os.path.exists("/dev/full"):
            with open("/dev/full", "w") as full:
                for words in (["help"], ["cql", "repl"]):
                    code = subprocess.run([BRAID, *words], stdout=full, stderr=subprocess.DEVNULL,
                                          input="1 + 1\n", text=True, check=False).returncode
                    self.check(f"a full disk behind standard output is told: {words}", code == IO)
        (self.folder / "a-file").write_text("x")
        self.check("an output folder that is a file is an error",
                   self.braid("run", STARTER, "--data", SAMPLE, "--out", "a-file").returncode
                   in (INPUT, IO))
        process = subprocess.Popen([BRAID, "load", "-", "--store", "waiting"], cwd=self.folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        self.check("a second writer is told to wait",
                   self.braid("load", SAMPLE, "--store", "waiting").returncode == BUSY)
        process.send_signal(signal.SIGINT)
        self.check("an interrupt ends it with 130", process.wait(10) == 130)
        process.stdin.close()
        self.ends(OK, "load", SAMPLE, "--store", "waiting")


def main():
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(folder)
        for group in (tests.usage, tests.loading, tests.mending, tests.not_replaced,
                      tests.closed_streams, tests.stores, tests.documents, tests.running,
                      tests.books, tests.failing):
            group()
    print(f"{tests.passed} passed, {tests.failed} failed")
    return 1 if tests.failed else 0


if __name__ == "__main__":
    sys.exit(main())

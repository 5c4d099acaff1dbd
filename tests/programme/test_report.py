#!/usr/bin/env python3
"""The report holds what it shows: its figures add up, each line has its persons, and nothing in the
records or documents can become part of the page itself."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
SAMPLE = ROOT / "examples" / "sample"
STARTER = ROOT / "programmes" / "starter"
EVIL = "</script><script>document.title='broken'</script><!-- \"&"

passed = failed = 0


def check(what, holds):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"{what}: does not hold")


def run(programme, data, out, *options):
    result = subprocess.run([BRAID, "run", str(programme), "--data", str(data), "--out", str(out),
                             "--quiet", *options], capture_output=True, text=True, check=False)
    check(f"braid run ends well: {result.stderr.strip()}", result.returncode == 0)
    return (Path(out) / "report.html").read_text() if result.returncode == 0 else ""


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page,
                                re.DOTALL).group(1))


def wilson(achieved, eligible):
    """The score interval at 95 %, by solving (p - x)^2 = z^2 x (1 - x) / n for x."""
    z = 1.959963984540054
    p, n = achieved / eligible, eligible
    a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
    root = (b * b - 4 * a * c) ** 0.5
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def figures(folder):
    out = Path(folder) / "out"
    page = run(STARTER, SAMPLE, out)
    data = data_of(page)
    result = json.loads((out / "result.json").read_text())
    lines = data["lines"]
    check("the lines add up to the total", sum(l[4] for l in lines) == result["settle"]["total_minor"])
    rows = {(practice, clause): rows for practice, clause, rows in data["details"]}
    for practice, clause, period, quantity, _, cell, indicator, _, _ in lines:
        behind = [f for f in rows[practice, data["clauses"][clause]["id"]]
                  if f["from"] <= period <= f["to"] and f["cell"] == cell
                  and f.get("indicator", "") == indicator]
        check(f"{practice} {period} has its persons", len(behind) == quantity)
    persons = data["persons"]["rows"]
    check("every person is there", len(persons) == data["persons"]["total"] == 24)
    for number, register in enumerate(result["measure"]["registers"]):
        check(register["id"], sum(number in p[4] for p in persons) == register["persons"])
    for number, indicator in enumerate(result["measure"]["indicators"]):
        answers = [a[1] for p in persons for a in p[5] if a[0] == number]
        check(indicator["id"], [answers.count(s) for s in (0, 1, 2, 3)] ==
              [indicator["achieved"], indicator["gaps"], indicator["excluded"], indicator["excepted"]])
        low, high = wilson(indicator["achieved"], indicator["achieved"] + indicator["gaps"])
        check(f"interval of {indicator['id']}", abs(indicator["rate_low"] - low) < 1e-6
              and abs(indicator["rate_high"] - high) < 1e-6)
        by_practice = [p["indicators"][number] for p in data["practices"] + [data["without"]]]
        check(f"{indicator['id']} by practice", [sum(c) for c in zip(*by_practice)] ==
              [indicator["denominator"], indicator["excluded"], indicator["achieved"],
               indicator["gaps"], indicator["excepted"]])
    markup = page.replace(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1), "")
    check("the page names no address", "http:" not in markup and "https:" not in markup)
    check("the script makes no markup", "innerHTML" not in markup and "eval(" not in markup)
    limited = data_of(run(STARTER, SAMPLE, out, "--report-persons", "5"))
    check("a page of five persons has five", len(limited["persons"]["rows"]) == 5)
    check("those on registers first", all(p[4] for p in limited["persons"]["rows"]))


def hostile(folder):
    programme = Path(folder) / "evil"
    shutil.copytree(STARTER, programme)
    text = (programme / "programme.yaml").read_text()
    (programme / "programme.yaml").write_text(text.replace(
        "title: Diabetes and hypertension, 2020", f"title: {json.dumps(EVIL)}"))
    data = Path(folder) / "data"
    shutil.copytree(SAMPLE, data)
    organisations = (data / "Organization.ndjson").read_text()
    (data / "Organization.ndjson").write_text(
        organisations.replace('"Elm Street Family Practice"', json.dumps(EVIL)))
    page = run(programme, data, Path(folder) / "evil-out")
    check("no text of others is markup", "document.title='broken'</script>" not in page
          and "<!-- \"&" not in page)
    check("it is shown as it is", data_of(page)["programme"]["title"] == EVIL
          and any(p["name"] == EVIL for p in data_of(page)["practices"]))


def main():
    with tempfile.TemporaryDirectory() as folder:
        figures(folder)
        hostile(folder)
    node = shutil.which("node")
    if node:
        script = ROOT / "src" / "programme" / "report" / "report.js"
        check("the script is well formed",
              subprocess.run([node, "--check", str(script)], check=False).returncode == 0)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

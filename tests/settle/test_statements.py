#!/usr/bin/env python3
"""Statements of the sample programme in every form, read by readers of their own.

Lines = text = HTML = CSV = FHIR, per party and period; what changed since the month before sums to the
difference; the page needs nothing from elsewhere and its links lead somewhere; the PDF's
cross-reference table points at its objects; the MeasureReports are read by `braid load`.
"""
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
PASSED, FAILED = [], []


def check(what, ok):
    (PASSED if ok else FAILED).append(what)
    if not ok:
        print(f"FAILED {what}")


class Page(HTMLParser):
    """Rows of all tables, ids, links; complains of tags that do not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.rows, self.ids, self.links, self.tags = [], [], set(), [], set()
        self.nests = True

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if "id" in attributes:
            self.ids.add(attributes["id"])
        if "href" in attributes:
            self.links.append(attributes["href"])
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.nests = self.nests and bool(self.open) and self.open.pop() == tag

    def handle_data(self, data):
        if self.open and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] += data


def amount(text):
    return Decimal(text.replace(",", ""))


def check_html(folder, practice, text, total, by_period):
    page = Page()
    page.feed(text)
    check(f"{practice}: tags nest", page.nests and not page.open)
    check(f"{practice}: nothing from elsewhere", not page.tags & {"script", "link", "img", "iframe"} and
          not re.search(r"https?://|url\(", text))
    for link in page.links:
        check(f"{practice}: {link} leads somewhere", link[1:] in page.ids if link.startswith("#")
              else (folder / "settle/statements" / link).resolve().is_file())
    summary = {row[0]: amount(row[-1]) for row in page.rows if row and
               re.fullmatch(r"\d{4}-\d\d(\.\.\d{4}-\d\d)?|all", row[0]) and len(row) == 4}
    check(f"{practice}: summary of the page", summary == {**by_period, "all": total})
    persons = [row for row in page.rows if len(row) == 4 and row[1][:3] == "202"]
    check(f"{practice}: persons are shown", len(persons) > 0)
    return page


def check_changes(practice, text, by_period):
    """Of the plain text: '  5.00  2020-02 against 2020-01, clause: 2 more (cell)'."""
    sums, before = defaultdict(Decimal), {}
    for minor, period, other in re.findall(r"^ *(-?[\d,.]+)  (\S+) against (\S+), ", text, re.M):
        sums[period] += amount(minor)
        before[period] = other
    months = sorted(p for p in by_period if ".." not in p)
    for earlier, later in zip(months, months[1:]):
        check(f"{practice} {later}: changes sum to the difference",
              sums[later] == by_period[later] - by_period[earlier] and
              before.get(later, earlier) == earlier)


def check_pdf(practice, data, text):
    check(f"{practice}: begins and ends as PDF", data.startswith(b"%PDF-1.4\n") and
          data.endswith(b"%%EOF\n"))
    start = int(re.search(rb"startxref\n(\d+)\n", data).group(1))
    table = data[start:].split(b"\n")
    count = int(table[1].split()[1])
    for number in range(1, count):
        entry = data[start:].split(b"\n")[2 + number]
        check(f"{practice}: object {number}", len(entry) == 19 and
              data[int(entry[:10]):].startswith(b"%d 0 obj\n" % number))
    shown = ""
    for length, body in re.findall(rb"<< /Length (\d+) >>\nstream\n(.*?)endstream", data, re.S):
        check(f"{practice}: length of a stream", int(length) == len(body))
        for literal in re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj T\*", body):
            shown += re.sub(rb"\\([()\\])", rb"\1", literal).decode("latin-1") + "\n"
    squeeze = re.compile(r"\s+")
    check(f"{practice}: the PDF says what the text says",
          squeeze.sub("", shown) == squeeze.sub("", text))


def check_fhir(practice, report, total, by_clause):
    check(f"{practice}: category vbp, type summary, profile", report["type"] == "summary" and
          report["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "vbp" and
          report["meta"]["profile"] == ["http://hl7.org/fhir/us/davinci-vbpr/StructureDefinition/"
                                        "vbp-performance-measurereport"])
    check(f"{practice}: what the profile wants once", all(k in report for k in (
        "status", "measure", "date", "reporter", "period")))
    check(f"{practice}: subject by extension", report["subject"]["extension"][0]["valueReference"] ==
          {"reference": f"Organization/{practice}"})
    money = lambda score: Decimal(str(score["extension"][0]["valueMoney"]["value"]))
    groups = {g["id"]: money(g["measureScore"]) for g in report["group"]}
    check(f"{practice}: groups are clauses", groups == by_clause and sum(groups.values()) == total)
    check(f"{practice}: strata sum to groups", all(
        sum(money(s["measureScore"]) for s in g["stratifier"][0]["stratum"]) ==
        money(g["measureScore"]) for g in report["group"]))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def braid(*arguments):
            result = subprocess.run([BRAID, *map(str, arguments)], cwd=folder, text=True,
                                    capture_output=True, check=False)
            check(f"{arguments[:2]}: {result.stderr.strip()[-200:]}", result.returncode == 0)
            return result.stdout

        def settle(out):
            braid("settle", ROOT / "programmes/starter", "--store", "out/store", "--out", out,
                  "--statements", "--quiet")

        braid("run", ROOT / "programmes/starter", "--data", ROOT / "examples/sample", "--out", "out",
              "--quiet")
        settle("out")
        statements = folder / "out/settle/statements"
        before = {p.name: p.read_bytes() for p in statements.iterdir()}
        settle("out")
        check("the same bytes again", before == {p.name: p.read_bytes()
                                                 for p in statements.iterdir()})
        lines = [json.loads(t, parse_float=Decimal)
                 for t in (folder / "out/settle/lines.ndjson").read_text().splitlines()]
        practices = sorted({line["practice"] for line in lines})
        check("a statement a practice and form", len(before) == 6 * len(practices) > 0)
        for practice in practices:
            own = [line for line in lines if line["practice"] == practice]
            total = sum(Decimal(line["amount"]) for line in own)
            by_period, by_clause = defaultdict(Decimal), defaultdict(Decimal)
            for line in own:
                by_period[line["period"]] += Decimal(line["amount"])
                by_clause[line["clause"]] += Decimal(line["amount"])
            text = before[f"{practice}.txt"].decode()
            check_html(folder / "out", practice, before[f"{practice}.html"].decode(), total, by_period)
            check_changes(practice, text, by_period)
            check_pdf(practice, before[f"{practice}.pdf"], text)
            rows = list(csv.DictReader(io.StringIO(before[f"{practice}.csv"].decode(), newline="")))
            check(f"{practice}: rows are lines", [(r["period"], r["clause"], Decimal(r["amount"]))
                                                  for r in rows] ==
                  [(line["period"], line["clause"], Decimal(line["amount"])) for line in own])
            check_fhir(practice, json.loads(before[f"{practice}.fhir.json"],
                                            parse_float=Decimal), total, dict(by_clause))
        reports = folder / "reports.ndjson"
        reports.write_text("".join(json.dumps({**json.loads(before[f"{p}.fhir.json"]), "id": f"r-{p}"})
                                   + "\n" for p in practices))
        # The reader takes every element; the store then has no person to keep a summary with. A
        # report that is wrong has another finding.
        def rules(path):
            subprocess.run([BRAID, "load", path, "--store", "reports", "--findings", "found.ndjson",
                            "--quiet"], cwd=folder, capture_output=True, check=False)
            return [json.loads(row)["rule"] for row in (folder / "found.ndjson").read_text().splitlines()]

        check("our own reader takes the reports",
              rules(reports) == ["intake-no-patient"] * len(practices))
        wrong = folder / "wrong.ndjson"
        wrong.write_text(reports.read_text().splitlines()[0].replace('"measureScore"', '"score"'))
        check("and not what is wrong", rules(wrong) != ["intake-no-patient"])
    print(f"{len(PASSED)} passed, {len(FAILED)} failed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What the ledger gives to banks, payers and general ledgers, read by readers of their own.

A ledger of the sample programme is invoiced, approved and paid by the command; then the journal
(CSV), pain.001 (XML) and X12 835 and 820 are read with nothing of Braid: required elements and
their order, check digits, control sums, envelopes, segment counts, balancing. Facts = lines =
journal = documents = payments, per party and month.
"""
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
PARTIES = ROOT / "examples" / "ledger" / "parties.csv"
MADE = "2021-01-08T09:30:00Z"
PAIN = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, ok):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what}")


def iban_holds(iban):
    moved = iban[4:] + iban[:4]
    return bool(re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban)) and \
        int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


# --- pain.001: each element's children in the order of the message definition ---

ORDER = {
    "Document": ["CstmrCdtTrfInitn"],
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf+"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum?", "InitgPty"],
    "PmtInf": ["PmtInfId", "PmtMtd", "NbOfTxs?", "CtrlSum?", "ReqdExctnDt", "Dbtr", "DbtrAcct",
               "DbtrAgt", "CdtTrfTxInf+"],
    "CdtTrfTxInf": ["PmtId", "Amt", "CdtrAgt?", "Cdtr", "CdtrAcct", "RmtInf?"],
    "PmtId": ["InstrId?", "EndToEndId"],
}
TEXT_MAX = {"MsgId": 35, "PmtInfId": 35, "EndToEndId": 35, "Nm": 140, "Ustrd": 140, "IBAN": 34}


def in_order(names, pattern):
    text = " ".join(names) + " "
    expression = "".join(
        f"(?:{p.rstrip('+?')} )" + {"+": "+", "?": "?"}.get(p[-1], "") for p in pattern)
    return re.fullmatch(expression, text) is not None


def check_pain(t, text, payments):
    root = ET.fromstring(text)
    t.check("pain: namespace", root.tag == PAIN + "Document")
    for element in root.iter():
        name = element.tag.removeprefix(PAIN)
        if name in ORDER:
            t.check(f"pain: children of {name}",
                    in_order([c.tag.removeprefix(PAIN) for c in element], ORDER[name]))
        if name in TEXT_MAX:
            t.check(f"pain: length of {name}", 0 < len(element.text) <= TEXT_MAX[name])
        if name == "IBAN":
            t.check("pain: IBAN", iban_holds(element.text))
        if name == "BICFI":
            t.check("pain: BIC", re.fullmatch(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", element.text))
    amounts = {}
    for transfer in root.iter(PAIN + "CdtTrfTxInf"):
        amount = transfer.find(f"{PAIN}Amt/{PAIN}InstdAmt")
        t.check("pain: currency", amount.get("Ccy") == "USD")
        end_to_end = transfer.find(f"{PAIN}PmtId/{PAIN}EndToEndId").text
        t.check("pain: end-to-end ids differ", end_to_end not in amounts)
        amounts[end_to_end] = Decimal(amount.text)
    for block in [root.find(f"{PAIN}CstmrCdtTrfInitn/{PAIN}GrpHdr"), root.find(f".//{PAIN}PmtInf")]:
        t.check("pain: NbOfTxs", int(block.find(PAIN + "NbOfTxs").text) == len(amounts))
        t.check("pain: CtrlSum", Decimal(block.find(PAIN + "CtrlSum").text) == sum(amounts.values()))
    t.check("pain: what was paid", amounts == payments)


# --- X12 ---

def interchanges(text):
    """Segments of each interchange, with the separators that its ISA says."""
    while text.strip():
        text = text.lstrip()
        element, end = text[3], text[105]
        stop = text.index(f"{end}", text.index(f"IEA{element}")) + 1
        yield [s.strip().split(element) for s in text[:stop].split(end) if s.strip()], text[:106]
        text = text[stop:]


def envelope(t, segments, header, functional, version, kind):
    isa, gs, st = segments[0], segments[1], segments[2]
    se, ge, iea = segments[-3], segments[-2], segments[-1]
    t.check(f"{kind}: ISA is 106 characters", len(header) == 106 and len(isa) == 17)
    widths = [2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1]
    t.check(f"{kind}: widths of ISA", [len(e) for e in isa[1:]] == widths)
    t.check(f"{kind}: interchange control", iea == ["IEA", "1", isa[13]])
    t.check(f"{kind}: group control", gs[1] == functional and ge == ["GE", "1", gs[6]] and
            gs[8] == version)
    t.check(f"{kind}: transaction control", st[1] == kind and se[2] == st[2])
    t.check(f"{kind}: segment count", int(se[1]) == len(segments) - 4)
    t.check(f"{kind}: no empty segment", all(len(s) > 1 and s[-1] for s in segments))


def first(segments, name):
    return next(s for s in segments if s[0] == name)


def check_835(t, text, payments):
    paid = {}
    for segments, header in interchanges(text):
        envelope(t, segments, header, "HP", "005010X221A1", "835")
        bpr, trn = first(segments, "BPR"), first(segments, "TRN")
        claims = [s for s in segments if s[0] == "CLP"]
        provider = [s for s in segments if s[0] == "PLB"]
        t.check("835: BPR = CLP - PLB", Decimal(bpr[2]) == sum(Decimal(s[4]) for s in claims) -
                sum(Decimal(s[i]) for s in provider for i in range(4, len(s), 2)))
        t.check("835: charge - payment = adjustments (none)", all(s[3] == s[4] for s in claims))
        t.check("835: status and sign", all((Decimal(s[4]) < 0) == (s[2] == "22") for s in claims))
        t.check("835: a patient a claim", [s[1] for s in segments if s[0] == "NM1"] ==
                ["QC"] * len(claims))
        t.check("835: routing numbers", all(re.fullmatch(r"\d{9}", bpr[i]) for i in (7, 13)))
        t.check("835: order", [s[0] for s in segments[2:6]] == ["ST", "BPR", "TRN", "DTM"])
        paid[trn[2]] = Decimal(bpr[2])
    t.check("835: what was paid", paid == payments)


def check_820(t, text, payments):
    paid = {}
    for segments, header in interchanges(text):
        envelope(t, segments, header, "RA", "005010X218", "820")
        bpr, trn = first(segments, "BPR"), first(segments, "TRN")
        remitted = sum(Decimal(s[4]) for s in segments if s[0] == "RMR")
        adjusted = sum(Decimal(s[1]) for s in segments if s[0] == "ADX")
        t.check("820: BPR = RMR + ADX", Decimal(bpr[2]) == remitted + adjusted)
        t.check("820: payee and payer", [s[1] for s in segments if s[0] == "N1"] == ["PE", "PR"])
        paid[trn[2]] = Decimal(bpr[2])
    t.check("820: what was paid", paid == payments)


# --- all of it ---

def main():
    t = Checks()
    with tempfile.TemporaryDirectory() as folder:
        def braid(*arguments, wants=0):
            result = subprocess.run([BRAID, *map(str, arguments)], cwd=folder, text=True,
                                    capture_output=True, check=False)
            t.check(f"{arguments[:2]} ends with {wants}: {result.stderr.strip()}",
                    result.returncode == wants)
            return result.stdout

        def decide(*arguments):
            return braid("ledger", *arguments, "--day", "2021-01-06")

        ledger = "out/ledger.sqlite"
        braid("run", ROOT / "programmes/starter", "--data", ROOT / "examples/sample", "--out", "out",
              "--quiet", "--recorded-at", MADE)
        # On account first, so that later invoices are netted; then a credit note.
        decide("advance", ledger, "practice-elm", "100.00", "--by", "anna", "--reason", "start")
        for person, role in (("anna", "contract"), ("ben", "finance")):
            decide("approve", ledger, "all", "--by", person, "--role", role)
        decide("pay", ledger, "first", "--by", "anna")
        credit = "key,debit,credit,amount,memo\nc,expense:correction,payable:practice-mill,-40.00,x\n"
        (Path(folder) / "credit.csv").write_text(credit)
        braid("ledger", "accrue", ledger, "2021-02", "credit.csv", "--by", "anna")
        decide("invoice", ledger, "--by", "anna", "--through", "2021-02-28")
        for person, role in (("anna", "contract"), ("ben", "finance")):
            decide("approve", ledger, "all", "--by", person, "--role", role)
        result = json.loads(decide("pay", ledger, "second", "--by", "anna", "--json"))
        t.check("an advance was netted", any(p["netted_minor"] == 10000 for p in result["parties"]))
        t.check("a credit note was recouped",
                any(p["recouped_minor"] == 4000 for p in result["parties"]))
        payments = {p["payment"]: Decimal(p["paid_minor"]) / 100 for p in result["parties"]}

        def export(form, run):
            arguments = ("ledger", "export", ledger, form, "--run", run, "--parties", PARTIES,
                         "--recorded-at", MADE)
            text = braid(*arguments)
            t.check(f"{form}: the same bytes again", text == braid(*arguments))
            return text

        check_pain(t, export("pain001", "second"), payments)
        check_835(t, export("x12-835", "second"), payments)
        check_820(t, export("x12-820", "second"), payments)
        check_835(t, export("x12-835", "first"), {"PMT-000001": Decimal(100)})
        check_820(t, export("x12-820", "first"), {"PMT-000001": Decimal(100)})

        # The journal balances by entry, and its sums are the trial balance.
        rows = list(csv.DictReader(io.StringIO(braid("ledger", "export", ledger, "journal"))))
        by_entry = defaultdict(Decimal)
        by_account = defaultdict(Decimal)
        owed = defaultdict(Decimal)
        for row in rows:
            minor = Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0)
            by_entry[row["entry"]] += minor
            by_account[row["account"]] += minor
            if row["account"].startswith("payable:") and row["key"].startswith("settle/"):
                owed[row["account"].removeprefix("payable:"), row["period"]] -= minor
        t.check("journal: each entry balances", len(by_entry) > 40 and not any(by_entry.values()))
        trial = json.loads(braid("ledger", "trial-balance", ledger, "--json"))["accounts"]
        t.check("journal: the trial balance", {a["account"]: Decimal(a["balance_minor"]) / 100
                                               for a in trial} == dict(by_account))

        # Lines of the settlement = journal = documents, per party and month of service.
        lines = defaultdict(Decimal)
        for text in (Path(folder) / "out/settle/lines.ndjson").read_text().splitlines():
            line = json.loads(text)
            lines[line["practice"], line["period"][-7:]] += Decimal(str(line["amount"]))
        t.check("lines = journal", dict(lines) == dict(owed) and len(lines) == 36)
        documents = json.loads(braid("ledger", "documents", ledger, "--json"))
        invoiced = {(d["party"], d["month"]): Decimal(d["minor"]) / 100
                    for d in documents if d["kind"] == "invoice" and d["month"] < "2021"}
        t.check("lines = documents", dict(lines) == invoiced)

        # What a party lacks is told for all of them, and nothing is written.
        (Path(folder) / "poor.csv").write_text("party,name\npayer,P\npractice-elm,E\n")
        for form in ("pain001", "x12-835", "x12-820"):
            result = subprocess.run([BRAID, "ledger", "export", ledger, form, "--run", "second",
                                     "--parties", "poor.csv"], cwd=folder, text=True,
                                    capture_output=True, check=False)
            t.check(f"{form}: what is missing is told", result.returncode != 0 and
                    not result.stdout and "practice-mill" in result.stderr)
        braid("ledger", "verify", ledger)
    print(f"{t.passed} passed, {t.failed} failed")
    return 1 if t.failed else 0


if __name__ == "__main__":
    sys.exit(main())

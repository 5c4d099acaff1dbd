#!/usr/bin/env python3
"""What is wrong with a contract of graphs, or with the tables of its inputs, is refused with its place and what
to do: one change to a good pair, one finding."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
CONTRACT = """contract: c
title: T
version: 1
currency: USD
period: {from: 2020-01-01, to: 2020-12-31}
parties:
  - {id: payer, role: payer, name: P}
  - {id: all, role: provider, name: A, each: listed}
  - {id: one, role: provider, name: O}
dimensions:
  group: {words: [g1, g2]}
inputs:
  months: {unit: months, by: [party, period, group]}
  pool: {unit: money, by: [period]}
  weight: {unit: ratio, by: [party, period]}
values:
  price: {value: [{group: g1, value: 2.50}, {group: g2, value: 5}], unit: money/months}
clauses:
  - id: fee
    kind: member-fee
    title: F
    from: payer
    to: all
    months: months
    rate: price
  - id: share
    kind: graph
    title: S
    from: payer
    to: all
    graph:
      total: {basis: {of: clauses.fee, over: group}}
      part: {allocate: {of: pool, by: weight, to: party}}
      whole: {basis: {of: [total, part]}}
      bent: {curve: {of: weight, shape: line, points: [{at: 0, gives: 1}, {at: 1, gives: 2}]}}
      paid: {rate: {of: whole, by: bent}}
    pays: paid
approval: {author: A, approvers: [B], reason: R}
"""
TABLE = """input,party,period,group,value
months,a,2020,g1,10
months,a,2020,g2,20
months,b,2020,g1,30
months,b,2020,g2,40
pool,,2020,,100
weight,a,2020,,1
weight,b,2020,,2
"""
# what is changed, into what, what is said
IN_CONTRACT = [
    ("rate: price", "rate: prize", '25:11: error: nothing is called "prize"; did you mean "price"?'),
    ("rate: price", "rate: months", '25:11: error: "months" is in months, and "rate" must be in money/months'),
    ("    rate: price\n", "", '19:5: error: missing "rate", which a clause of kind member-fee needs'),
    ("    rate: price\n", "    rate: price\n    rats: 1\n", '26:5: error: unknown key "rats"'),
    ("rate: price", "rate: .nan", '25:11: error: ".nan" is no finite number'),
    ("rate: price", "rate: 1e3", '25:11: error: nothing is called "1e3"'),
    ("kind: member-fee", "kind: member-fees", '20:11: error: unknown kind "member-fees"; did you mean "member-fee"?'),
    ("unit: money/months", "unit: money/month", '17:75: error: unknown unit "money/month"'),
    ("unit: ratio", "unit: percent", '15:18: error: unknown unit "percent"'),
    ("by: [party, period]}", "by: [party, perid]}", '15:37: error: "perid" is no dimension of keys'),
    ("{group: g2, value: 5}", "{group: g1, value: 5}", '17:45: error: "group g1" overlaps "group g1" in line 17'),
    (", {group: g2, value: 5}", "", "17:18: error: no rate for group g2; add a cell"),
    ("{group: g2, value: 5}", "{group: g3, value: 5}", '17:53: error: unknown group "g3"; write one of g1, g2'),
    ("value: 2.50", "value: 2.505", "17:38: error: amount 2.505 has more than 2 digits"),
    ("value: 2.50", "value: -2.50", "17:38: error: amount -2.50 is negative"),
    ("of: clauses.fee", "of: clauses.fees", '32:27: error: there is no clause "fees"; did you mean "fee"?'),
    ("of: clauses.fee", "of: clauses.share", '32:27: error: clause "share" is worked out from itself'),
    ("of: [total, part]", "of: [total, whole]", '34:35: error: "whole" is worked out from itself'),
    ("over: group", "over: groups", '32:46: error: unknown dimension "groups"; did you mean "group"?'),
    ("over: group", "over: event", "32:46: error: what is taken together is not told apart by event"),
    ("to: party", "to: period", "33:24: error: the weights must be told apart by what the total is"),
    ("of: [total, part]", "of: [total, weight]", "34:22: error: money and ratio do not go together"),
    ("of: [total, part]", "of: []", "34:27: error: nothing is counted or summed here"),
    ("{at: 1, gives: 2}", "{at: 0, gives: 2}", "35:21: error: the points must ascend"),
    ("shape: line", "shape: lines", '35:41: error: unknown shape "lines"; write one of line, marginal, step'),
    ("pays: paid", "pays: bent", "37:11: error: what is paid is in ratio, not in money"),
    ("pays: paid", "pays: none", '37:11: error: "none" pays nothing'),
    ("to: all\n    graph", "to: one\n    graph", '30:9: error: "one" is one party, and what is paid is told apart by party'),
    ("{rate: {of: whole, by: bent}}", "{rats: {of: whole}}", "36:13: error: expected one primitive"),
    ("{rate: {of: whole, by: bent}}", "{rate: {off: whole}}", '36:26: error: unknown member "off"; did you mean "of"?'),
    ("{rate: {of: whole, by: bent}}", "{gate: {of: whole, if: [bent, over, 1]}}", '36:43: error: unknown test "over"'),
]
IN_TABLE = [
    ("months,a,2020,g1,10", "months,a,2020,g3,10", ':2: error: group: unknown group "g3"'),
    ("months,a,2020,g1,10", "months,a,2021,g1,10", ":2: error: period: 2021 is not within the contract's period"),
    ("months,a,2020,g1,10", "months,a,soon,g1,10", ':2: error: period: "soon" is no period'),
    ("months,a,2020,g1,10", "months,a,2020,g1,-1", ":2: error: value: -1 is negative"),
    ("months,a,2020,g1,10", "months,a,2020,g1,inf", ':2: error: value: "inf" is no finite number'),
    ("months,a,2020,g1,10", "months,a,2020,,10", ':2: error: value: "months" needs a group, which is not given'),
    ("months,a,2020,g1,10", "moons,a,2020,g1,10", ':2: error: input: the contract has no input "moons"'),
    ("months,a,2020,g2,20", "months,a,2020,g1,20", ':3: error: value: another value of "months" for the same key'),
    ("months,a,2020,g1,10", "months,a,2020,g1", ":2: error: 4 cells, and the head has 5"),
    ("weight,a,2020,,1\nweight,b,2020,,2\n", "weight,a,2020,,0\nweight,b,2020,,0\n", "division by nothing: the weights are all 0"),
    ("weight,b,2020,,2", "weight,b,2020,,-2", "a weight is negative"),
    ("pool,,2020,,100\n", "", 'no table has the input "pool"'),
    ("weight,b,2020,,2\n", "", "part has no value for party b, period 2020; add it"),
]


def run(contract, table):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "c.yaml", Path(folder) / "t.csv"]
        paths[0].write_text(contract)
        paths[1].write_text(table)
        return subprocess.run([BRAID, "settle", "c.yaml", "--aggregates", "t.csv"], cwd=folder,
                              capture_output=True, text=True, check=False)


def change(text, old, new):
    if text.count(old) != 1:
        raise SystemExit(f"{old!r} is there {text.count(old)} times")
    return text.replace(old, new)


def main():
    good = run(CONTRACT, TABLE)
    passed, failed = int(good.returncode == 0), int(good.returncode != 0)
    if good.returncode != 0:
        print(f"the good pair: {good.stderr}")
    for old, new, want in IN_CONTRACT:
        result = run(change(CONTRACT, old, new), TABLE)
        ok = result.returncode == 3 and f"c.yaml:{want}" in result.stderr and not result.stdout
        passed += ok
        failed += not ok
        if not ok:
            print(f"{old!r} -> {new!r}: wanted {want}\n  {result.returncode} {result.stderr.strip()[:300]}")
    for old, new, want in IN_TABLE:
        result = run(CONTRACT, change(TABLE, old, new))
        ok = result.returncode == 3 and want in result.stderr and not result.stdout
        passed += ok
        failed += not ok
        if not ok:
            print(f"{old!r} -> {new!r}: wanted {want}\n  {result.returncode} {result.stderr.strip()[:300]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

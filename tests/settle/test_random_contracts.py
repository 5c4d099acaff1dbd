#!/usr/bin/env python3
"""Random contracts from a fixed seed, settled by the command and by the calculator beside this file: every
line must be the same to the cent. The stream goes on until every kind of clause and every pair of
primitives, one working on what the other gives, was met at least 100 times.

    tests/settle/test_random_contracts.py [SEED [LEAST]]

A seed and a number beside 100 are for hunting."""
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from fractions import Fraction as F
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(Path(__file__).resolve().parent)]
import small_yaml  # noqa: E402
from calculator import KINDS, Contract, sort_key  # noqa: E402

BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
RULES = ["half-even", "half-away-from-zero", "half-up", "towards-zero", "away-from-zero", "floor",
         "ceiling"]
PRIMITIVES = ["basis", "rate", "gate", "curve", "cap", "floor", "allocate", "fund", "timing"]
WORDS = {"party": ["a", "b", "c", "d"], "period": ["2020-01", "2020-02", "2020-Q2"],
         "person": ["p1", "p2", "p3"], "event": ["e1", "e2", "e3"], "indicator": ["i1", "i2"],
         "age": ["3", "40", "64", "65", "90"], "group": ["g1", "g2", "g3"]}
# An instalment cannot be cut into instalments again, so this pair is none.
PAIRS = {(a, b) for a in PRIMITIVES for b in PRIMITIVES} - {("timing", "timing")}


class Generator:
    def __init__(self, rng):
        self.rng = rng
        self.inputs = {}
        self.rows = []
        self.words = {name: sorted(rng.sample(words, rng.randint(2 if name == "party" else 1,
                                                                 len(words))), key=words.index)
                      for name, words in WORDS.items()}
        self.clauses = []

    # --- numbers ---

    def number(self, low, high, places=2):
        scale = 10 ** places
        value = self.rng.randint(round(low * scale), round(high * scale))
        text = f"{value / scale:.{places}f}" if places else str(value)
        return text.rstrip("0").rstrip(".") if places and self.rng.random() < 0.5 else text

    def keys(self, dims):
        keys = [{}]
        for dim in dims:
            keys = [dict(key, **{dim: word}) for key in keys for word in self.words[dim]]
        return keys

    def input(self, unit, dims, low, high, places=2, default=None):
        """A new input with a value for each key; its name."""
        name = f"x{len(self.inputs) + 1}"
        self.inputs[name] = {"unit": unit, "by": dims, "default": default}
        for key in self.keys(dims):
            if default is None or self.rng.random() < 0.6:
                self.rows.append((name, key, self.number(low, high, places)))
        return name

    def value(self, unit, dims, low, high, places=2):
        """A number, a table by one or two dimensions, or an input told apart by some of them."""
        choice = self.rng.random()
        if choice < 0.4 or not dims:
            return self.number(low, high, places)
        some = sorted(self.rng.sample(dims, self.rng.randint(1, min(2, len(dims)))), key=dims.index)
        if "age" in some:
            some = ["age"]  # its bands are not the words of the table
        if choice < 0.7:
            return self.input(unit, some, low, high, places)
        cells = self.table(some, low, high, places)
        if choice < 0.85 or some == ["age"] or len(cells) < 2:
            return cells
        # local prices before a national one
        return {"first": [cells[:len(cells) // 2], self.number(low, high, places)]}

    def table(self, dims, low, high, places):
        if dims == ["age"]:
            bound = self.rng.choice(["18", "65"])
            return [{"age": {"under": bound}, "value": self.number(low, high, places)},
                    {"age": {"from": bound}, "value": self.number(low, high, places)}]
        cells = [dict(key, value=self.number(low, high, places)) for key in self.keys(dims)]
        self.rng.shuffle(cells)
        return cells

    def dims(self, *extra):
        base = ["party"] + (["period"] if self.rng.random() < 0.7 else [])
        return base + [name for name in extra if self.rng.random() < 0.7]

    def maybe(self, clause, name, make, chance=0.6):
        if self.rng.random() < chance:
            clause[name] = make()

    # --- kinds ---

    def clause(self, kind):
        return {"kind": kind, **getattr(self, "make_" + kind.replace("-", "_"))()}

    def priced(self, quantity, unit, price, price_unit, places=0, extra=("group", "age")):
        dims = self.dims(*extra)
        return {quantity: self.input(unit, dims, 0, 2000, places),
                price: self.value(price_unit, dims, 0, 400)}

    def make_event_fee(self):
        return self.priced("events", "count", "price", "money/count")

    def make_member_fee(self):
        return self.priced("months", "months", "rate", "money/months", self.rng.choice([0, 3]))

    def make_module(self):
        clause = self.priced("months", "months", "price", "money/months", 0)
        per = self.rng.choice(["year", "quarter", "month"])
        clause["price"] = {"value": clause["price"], "per": per}
        return clause

    def make_year_of_care(self):
        dims = self.dims("person", "group")
        clause = {"months": self.input("months", dims, 0, 12, 0),
                  "price": {"value": self.value("money/months", dims, 500, 5000, 2), "per": "year"}}
        self.maybe(clause, "planned", lambda: self.input("ratio", dims[:1], 0, 1, 0))
        return clause

    def make_capitation(self):
        dims = self.dims("age", "group")
        clause = {"months": self.input("months", dims, 0, 3000, 1),
                  "base": self.value("money/months", dims, 10, 900)}
        self.maybe(clause, "weight", lambda: self.value("ratio", dims, 0.2, 3, 3))
        self.maybe(clause, "risk", lambda: self.value("ratio", dims[:1], 0.5, 2, 4))
        self.maybe(clause, "geographic", lambda: self.value("ratio", dims[:1], 0.8, 1.2, 3))
        self.maybe(clause, "carved-out", lambda: self.value("ratio", dims, 0, 0.5, 2))
        return clause

    def make_sub_capitation(self):
        dims = self.dims("group")
        amount = self.input("money", dims, 0, 99999)
        earlier = [c["id"] for c in self.clauses if c["kind"] in ("member-fee", "capitation")]
        if earlier:
            amount = "clauses." + self.rng.choice(earlier)
        return {"amount": amount, "share": self.value("ratio", ["party"], 0, 1, 3)}

    def make_block(self):
        dims = self.dims("group")
        clause = {"amount": self.input("money", dims, -5000, 99999)}
        self.maybe(clause, "instalments", lambda: str(self.rng.randint(1, 13)))
        self.maybe(clause, "account", lambda: self.input("money", dims, 0, 99999), 0.4)
        return clause

    def make_tariff(self):
        dims = self.dims("event", "group")
        clause = {"spells": self.input("count", dims, 0, 3, 0),
                  "price": self.value("money/count", dims, 200, 9000)}
        if self.rng.random() < 0.7:
            clause["days"] = self.input("days", dims, 0, 60, 0)
            clause["trim-point"] = self.value("days", dims, 5, 30, 0)
            clause["day-price"] = self.value("money/days", dims, 100, 300)
        self.maybe(clause, "short-stay", lambda: self.value("ratio", dims, 0.25, 1))
        self.maybe(clause, "top-up", lambda: self.value("ratio", dims, 0, 0.8))
        self.maybe(clause, "market-forces", lambda: self.value("ratio", ["party"], 0.9, 1.3, 6))
        return clause

    def make_marginal_rate(self):
        dims = self.dims("group")
        clause = {"volume": self.input("count", dims, 0, 2000, 0),
                  "price": self.value("money/count", dims, 0, 3000),
                  "baseline": self.value("count", dims, 1, 1500, 0)}
        self.maybe(clause, "share", lambda: self.value("ratio", dims, 0, 1))
        return clause

    def make_readmission(self):
        dims = self.dims("event")
        clause = {"amount": self.input("money", dims, 0, 5000),
                  "since": self.input("days", dims, 28, 33, 0, default="100000")}
        self.maybe(clause, "limit", lambda: "31")
        self.maybe(clause, "excluded", lambda: self.input("ratio", dims, 0, 1, 0))
        return clause

    def make_bundle(self):
        dims = self.dims("group")
        clause = {"episodes": self.input("count", dims, 0, 30, 0),
                  "expected": self.value("money/count", dims, 1000, 30000),
                  "complications": self.value("money/count", dims, 0, 9000)}
        self.maybe(clause, "share", lambda: self.value("ratio", dims, 0, 1))
        return clause

    def make_bundle_reconciliation(self):
        dims = self.dims() + ["event"]
        clause = {"cost": self.input("money", dims, 0, 50000),
                  "target": self.input("money", dims, 10000, 40000)}
        if self.rng.random() < 0.5:
            clause["low"] = self.number(0, 0.3)
            clause["high"] = self.number(0.6, 1)
        self.maybe(clause, "discount", lambda: self.value("ratio", dims, 0, 0.1, 3))
        self.maybe(clause, "quality-factor", lambda: self.value("ratio", ["party"], 0.9, 1))
        self.maybe(clause, "cap", lambda: self.number(0, 0.3))
        return clause

    def make_bundle_split(self):
        dims = self.dims()[1:] + ["event"]
        return {"amount": self.input("money", dims, -100, 9000, 3),
                "weight": self.input("ratio", ["party"] + dims, 0.01, 2)}

    def make_ladder(self):
        dims = self.dims() + ["indicator"]
        clause = {"numerator": self.input("count", dims, 0, 99, 0),
                  "denominator": self.input("count", dims, 90, 110, 0),
                  "lower": self.value("ratio", ["indicator"], 0.2, 0.5),
                  "upper": self.value("ratio", ["indicator"], 0.6, 0.95),
                  "most": self.value("points", ["indicator"], 1, 20, 0),
                  "value": self.value("money/points", ["party"], 50, 250)}
        self.maybe(clause, "exceptions", lambda: self.input("count", dims, 0, 40, 0, default="0"))
        self.maybe(clause, "list-factor", lambda: self.input("ratio", ["party"], 0.3, 2, 4))
        self.maybe(clause, "prevalence", lambda: self.input("ratio", ["party", "indicator"], 0.5, 2, 4))
        return clause

    def make_withhold_release(self):
        dims = self.dims()
        clause = {"outturn": self.input("money", dims, 0, 9999999),
                  "achieved": self.input("ratio", dims + ["indicator"], -0.2, 1.2),
                  "weight": self.value("ratio", ["indicator"], 0, 0.5)}
        self.maybe(clause, "share", lambda: self.number(0, 0.05, 4))
        return clause

    def make_performance_fund(self):
        dims = self.dims("group")
        return {"holdback": self.input("money", dims, 0, 99999),
                "achieved": self.value("count", dims, 0, 500, 0),
                "planned": self.value("count", dims, 1, 400, 0)}

    def make_relative_pool(self):
        dims = self.dims()
        near = self.rng.random() < 0.3
        clause = {"pool": self.input("money", dims[1:], -500, 99999),
                  "score": self.input("score", dims, 70 if near else 0, 71 if near else 100)}
        self.maybe(clause, "base", lambda: self.input("ratio", dims, 0.01, 1, 3))
        self.maybe(clause, "spread", lambda: self.number(0, 0.9))
        self.maybe(clause, "spread-as", lambda: self.rng.choice(["ratio", "share"]))
        self.maybe(clause, "ramp", lambda: self.number(0.5, 5))
        if self.rng.random() < 0.4:
            clause["low"] = self.number(0, 0.2)
            clause["high"] = self.number(0.8, 1)
        if self.rng.random() < 0.4:
            clause["shrink"] = small_yaml.Quoted("yes")
            clause["cases"] = self.input("count", dims, 1, 200, 0)
        if self.rng.random() < 0.3:
            clause["passes"] = self.input("ratio", dims[:1], 0, 1, 0)
            first = True
            for i, (name, key, value) in enumerate(self.rows):
                if name == clause["passes"] and first:
                    self.rows[i] = (name, key, "1")  # else nobody could be paid
                    first = False
        return clause

    def make_shared_savings(self):
        dims = self.dims("group")
        clause = {"benchmark": self.input("money", dims, 900, 1100, 0),
                  "spending": self.input("money", dims, 800, 1200, 0),
                  "sharing-rate": self.value("ratio", dims, 0, 1)}
        self.maybe(clause, "minimum-savings", lambda: self.value("ratio", dims, 0, 0.05))
        self.maybe(clause, "minimum-loss", lambda: self.value("ratio", dims, 0, 0.05), 0.3)
        self.maybe(clause, "gain-factor", lambda: "0.98")
        self.maybe(clause, "gain-cap", lambda: self.value("ratio", dims, 0, 0.1))
        if self.rng.random() < 0.6:
            clause["two-sided"] = self.value("ratio", dims, 0, 1, 0)
            clause["loss-rate"] = self.value("ratio", dims, 0.3, 0.75)
            self.maybe(clause, "loss-cap", lambda: self.value("ratio", dims, 0, 0.1))
            self.maybe(clause, "loss-limit", lambda: self.value("money", dims, 10, 60), 0.3)
            self.maybe(clause, "relief", lambda: self.input("money", dims, 0, 20, default="0"), 0.3)
        return clause

    def make_fund_sharing(self):
        dims = self.dims()
        clause = {"revenue": self.input("money", dims[1:], 50000, 99999),
                  "costs": self.input("money", dims[1:], 30000, 80000),
                  "weight": self.input("count", dims, 1, 900, 0)}
        self.maybe(clause, "reserve", lambda: self.number(0, 0.5))
        if self.rng.random() < 0.5:
            clause["completeness"] = self.input("ratio", dims[1:], 0.8, 1)
            clause["least-completeness"] = "0.9"
        if self.rng.random() < 0.6:
            clause["alpha"] = self.number(0, 1)
            clause["merit"] = self.input("ratio", dims, 0.01, 1)
        if self.rng.random() < 0.5:
            clause["cap"] = self.number(0, 0.2)
            clause["income"] = self.input("money", dims, 10000, 90000)
        return clause

    def band_list(self):
        at, points = F(self.rng.randint(0, 5), 100), []
        for _ in range(self.rng.randint(1, 4)):
            points.append({"from": str(float(at)), "rate": self.number(0, 1)})
            at += F(self.rng.randint(1, 9), 100)
        return points

    def make_risk_corridor(self):
        dims = self.dims("group")
        clause = {"target": self.input("money", dims, 900, 1100, 0),
                  "spending": self.input("money", dims, 700, 1300)}
        self.maybe(clause, "over", self.band_list)
        self.maybe(clause, "under", self.band_list)
        return clause

    def make_stop_loss(self):
        dims = self.dims("group") + ["person"]
        clause = {"cost": self.input("money", dims, 0, 300000),
                  "attachment": self.value("money", dims, 50000, 150000)}
        self.maybe(clause, "coinsurance", lambda: self.number(0, 0.5))
        self.maybe(clause, "limit", lambda: self.value("money", ["party"], 10000, 90000))
        return clause

    def make_aggregate_stop_loss(self):
        dims = self.dims("group")
        clause = {"cost": self.input("money", dims, 0, 300000),
                  "budget": self.value("money", dims, 50000, 150000)}
        self.maybe(clause, "attachment", lambda: self.number(1, 1.3))
        self.maybe(clause, "coinsurance", lambda: self.number(0, 0.5))
        self.maybe(clause, "limit", lambda: self.value("money", dims, 10000, 90000))
        return clause

    def make_pooled_budget(self):
        dims = self.dims()
        clause = {"contribution": self.input("money", dims, 1000, 9000),
                  "spending": self.input("money", dims, 1000, 9900)}
        self.maybe(clause, "cover", lambda: self.number(0, 0.1))
        return clause

    def make_performance_pay(self):
        dims = self.dims()
        clause = {"salary": self.input("money", dims, 20000, 90000),
                  "achieved": self.input("ratio", dims + ["indicator"], 0, 1),
                  "weight": self.value("ratio", ["indicator"], 0, 1)}
        self.maybe(clause, "branch-weight", lambda: self.value("ratio", ["indicator"], 0, 1))
        self.maybe(clause, "share", lambda: self.number(0, 0.1, 3))
        self.maybe(clause, "passes", lambda: self.input("ratio", dims, 0, 1, 0))
        return clause

    def make_personal_budget(self):
        dims = self.dims("person")
        clause = {"points": self.input("points", dims, 0, 90, 0),
                  "price": self.value("money/points", dims[:1], 20, 150)}
        self.maybe(clause, "approved", lambda: self.input("ratio", dims, 0, 1, 0))
        self.maybe(clause, "unspent", lambda: self.input("money", dims, 0, 500, default="0"))
        self.maybe(clause, "recovered", lambda: self.number(0, 1))
        return clause

    def budget(self):
        dims = self.dims("group")
        return dims, {"budget": self.input("money", dims, 900, 1100),
                      "spending": self.input("money", dims, 800, 1200)}

    def make_real_budget(self):
        dims, clause = self.budget()
        self.maybe(clause, "surplus-share", lambda: self.value("ratio", dims, 0, 1))
        self.maybe(clause, "deficit-share", lambda: self.value("ratio", dims, 0, 1))
        return clause

    def make_notional_budget(self):
        dims, clause = self.budget()
        self.maybe(clause, "share", lambda: self.value("ratio", dims, 0, 1))
        return clause

    def make_salary(self):
        clause = self.priced("months", "months", "salary", "money/months", 2, ("group",))
        clause["salary"] = {"value": clause["salary"], "per": "year"}
        return clause

    def make_per_diem(self):
        return self.priced("days", "days", "price", "money/days", 1)

    def make_quality_price(self):
        dims = self.dims("group")
        clause = {"quantity": self.input("count", dims, 0, 900, 0),
                  "price": self.value("money/count", dims, 1, 900),
                  "quality": self.value("ratio", dims, 0.4, 1, 3),
                  "quality-points": [{"at": "0.5", "gives": self.number(-0.1, 0)},
                                     {"at": "0.7", "gives": "0"},
                                     {"at": "0.9", "gives": self.number(0, 0.1)}]}
        if self.rng.random() < 0.5:
            clause["efficiency"] = self.value("ratio", dims, 0.8, 1.2, 3)
            clause["efficiency-points"] = [{"at": "0.9", "gives": "0.05"}, {"at": "1.1", "gives": "-0.04"}]
        return clause

    def make_case_mix(self):
        dims = self.dims("group", "event")
        clause = {"cases": self.input("count", dims, 0, 90, 0),
                  "base": self.value("money/count", dims[:1], 900, 5000),
                  "weight": self.value("ratio", dims, 0.1, 9, 4)}
        self.maybe(clause, "adjustor", lambda: self.value("ratio", dims[:1], 0.9, 1.2, 3))
        return clause

    def make_global_budget(self):
        dims = self.dims("group")
        clause = {"volume": self.input("count", dims, 500, 1500, 0),
                  "expected": self.value("count", dims, 900, 1100, 0),
                  "price": self.value("money/count", dims, 1, 999)}
        self.maybe(clause, "corridor", lambda: self.number(0, 0.2))
        self.maybe(clause, "share", lambda: self.number(0, 1))
        return clause

    # --- graphs of primitives ---

    def money(self, low, high):
        return {"value": self.number(low, high), "unit": "money"}

    def chain(self, counts, length):
        """A graph in which each primitive works on the one before, the rarest pairs first."""
        self.nodes = {}
        dims = ["party", "period"] if self.rng.random() < 0.8 else ["party"]
        self.timed = False
        name, last = self.input("money", dims, -300, 2000), None
        for _ in range(length):
            fits = [op for op in PRIMITIVES if not (op == "timing" and self.timed) and
                    not (op == "allocate" and set(self.SPREAD) <= set(dims))]
            op = min(fits, key=lambda each: (counts[last, each], self.rng.random()))
            if op == "timing" and last is None and len(fits) > 1:
                op = self.rng.choice(fits)
            body, dims = getattr(self, "step_" + op)(name, dims)
            name = f"n{len(self.nodes) + 1}"
            self.nodes[name] = {op: body}
            if last is not None:
                counts[last, op] += 1
            last = op
        if "party" not in dims:
            back = self.input("ratio", ["party"] + dims, 0.01, 1)
            self.nodes["last"] = {"allocate": {"of": name, "by": back, "to": "party"}}
            counts[last, "allocate"] += 1
            name = "last"
        return {"graph": self.nodes, "pays": name}

    def other(self, dims, low=-300, high=1500):
        """A second operand: an input, a number of money, or an earlier node told apart by no more."""
        own = list(dims)
        if self.rng.random() < 0.5 or not own:
            return self.money(low, high)
        return self.input("money", self.rng.sample(own, self.rng.randint(1, len(own))), low, high)

    def step_basis(self, name, dims):
        body = {"of": [name, self.other(dims)] if self.rng.random() < 0.5 else name}
        if self.rng.random() < 0.4:
            body["less"] = self.other(dims)
        if self.rng.random() < 0.3:
            body["at-most"] = self.other(dims)
        drop = [dim for dim in dims if dim != "party"]
        if drop and self.rng.random() < 0.5:
            gone = self.rng.choice(drop)
            kept = [dim for dim in dims if dim != gone]
            if kept:
                body.update({"over": gone} if self.rng.random() < 0.5 else {"keep": kept})
                body["take"] = self.rng.choice(["sum", "min", "max", "mean"])
                self.timed = self.timed and gone != "instalment"
                dims = kept
        if self.rng.random() < 0.2:
            own = [dim for dim in dims if dim != "instalment"]
            body["per"] = self.input("ratio", own[:1], 0.5, 7) if own else "3"
        return body, dims

    def step_rate(self, name, dims):
        own = [dim for dim in dims if dim != "instalment"]
        body = {"of": name, "by": [self.value("ratio", own, -1, 2, 3)]}
        if isinstance(body["by"][0], list):
            body["by"] = [{"value": body["by"][0], "unit": "ratio"}]
        if self.rng.random() < 0.4:
            body["per"] = self.rng.choice(["12", "7", "0.3"])
        return body, dims

    def step_gate(self, name, dims):
        tests = [[self.rng.choice([name, self.other(dims)]),
                  self.rng.choice(["at-least", "above", "at-most", "below", "is", "is-not"]),
                  self.other(dims, 0, 900)] for _ in range(self.rng.randint(1, 2))]
        if self.rng.random() < 0.3:
            tests[0][2] = tests[0][0]  # what lies on the bound
        body = {"of": name, "if": tests}
        if self.rng.random() < 0.6:
            body["else"] = self.other(dims)
        return body, dims

    def step_curve(self, name, dims):
        shape = self.rng.choice(["line", "marginal", "step"])
        at, points = F(self.rng.randint(-300, 300)), []
        if shape == "step":
            at = F(-10 ** 12)
        for _ in range(self.rng.randint(1, 4)):
            where = {"value": str(int(at)), "unit": "money"}
            if shape == "marginal":
                points.append({"from": where, "rate": self.number(-1, 2)})
            elif shape == "step":
                points.append({"from": where, "gives": self.other(dims)})
            else:
                points.append({"at": where, "gives": self.other(dims)})
            at = max(at, F(-200)) + self.rng.randint(1, 600)
        return {"of": name, "shape": shape, "points": points}, dims

    def step_cap(self, name, dims):
        return {"of": name, "at": self.other(dims)}, dims

    step_floor = step_cap

    SPREAD = ("party", "group", "person", "event")

    def step_allocate(self, name, dims):
        to = next(dim for dim in self.SPREAD if dim not in dims)
        weights = self.input("ratio", dims + [to], 0.01, 2)
        return {"of": name, "by": weights, "to": to}, dims + [to]

    def step_fund(self, name, dims):
        body = {"in": [name, self.other(dims)] if self.rng.random() < 0.4 else name,
                "out": self.other(dims),
                "give": self.rng.choice(["balance", "surplus", "deficit", "drawn"])}
        if self.rng.random() < 0.4:
            body["keep"] = self.number(0, 1)
        if "period" in dims and self.rng.random() < 0.5:
            body["carry"] = self.rng.choice(["deficit", "all", "nothing"])
        return body, dims

    def step_timing(self, name, dims):
        self.timed = True
        body = {"of": name, "instalments": str(self.rng.randint(1, 5))}
        if self.rng.random() < 0.4:
            body["account"] = self.other(dims)
        count = int(body["instalments"]) + ("account" in body)
        self.words["instalment"] = [str(each + 1) for each in range(count)]
        return body, dims + ["instalment"]

    # --- the document ---

    def flow(self, value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {self.flow(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.flow, value)) + "]"
        return json.dumps(value) if isinstance(value, small_yaml.Quoted) else value

    def document(self):
        rng = self.rng
        lines = ["contract: random", "title: Random", "version: 1",
                 f"currency: {rng.choice(['USD', 'JPY', 'KWD'])}",
                 "period: {from: 2020-01-01, to: 2020-12-31}", "parties:",
                 "  - {id: payer, role: payer, name: Payer}",
                 "  - {id: parties, role: provider, name: Parties, each: listed}",
                 "dimensions:", f"  group: {{words: [{', '.join(self.words['group'])}]}}", "rounding:",
                 f"  rule: {rng.choice(RULES)}",
                 f"  at: {rng.choice(['line', 'line', 'person', 'party', 'period'])}",
                 "  rate-digits: 6", "inputs:"]
        for name, spec in self.inputs.items():
            default = f", default: {spec['default']}" if spec["default"] else ""
            lines.append(f"  {name}: {{unit: {spec['unit']}, by: [{', '.join(spec['by'])}]{default}}}")
        lines.append("clauses:")
        for clause in self.clauses:
            lines += [f"  - id: {clause['id']}", f"    kind: {clause['kind']}", "    title: Random",
                      "    from: payer", "    to: parties"]
            lines += [f"    {name}: {self.flow(value)}" for name, value in clause.items()
                      if name not in ("id", "kind")]
        lines += ["approval: {author: A, approvers: [B], reason: C}", ""]
        dims = [*WORDS, "instalment"]
        table = ["\t".join(["input", *dims, "value"])]
        rng.shuffle(self.rows)
        for name, key, value in self.rows:
            table.append("\t".join([name, *(key.get(dim, "") for dim in dims), value]))
        return "\n".join(lines), "\n".join(table) + "\n"


def run(contract, table, folder):
    (Path(folder) / "contract.yaml").write_text(contract)
    (Path(folder) / "table.tsv").write_text(table)
    result = subprocess.run([BRAID, "settle", f"{folder}/contract.yaml", "--aggregates",
                             f"{folder}/table.tsv", "--json", "--quiet"],
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None, result.stderr.strip()
    lines = {}
    for line in json.loads(result.stdout)["lines"]:
        key = frozenset((name, str(line[name])) for name in line if name in WORDS or
                        name == "instalment")
        lines.setdefault(line["clause"], {})[key] = line["amount_minor"]
    return lines, ""


def compare(contract, table, folder):
    lines, error = run(contract, table, folder)
    if lines is None:
        return error
    calculator = Contract(small_yaml.parse(contract), table)
    for name, amounts in calculator.settle().items():
        want = {key: int(x * calculator.scale) for key, x in amounts.items()}
        got = lines.get(name, {})
        if want != got:
            for key in sorted(set(want) | set(got), key=sort_key):
                if want.get(key) != got.get(key):
                    return f"{name}, {dict(key)}: {got.get(key)}, the calculator {want.get(key)}"
    return ""


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20201231
    least = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    rng = random.Random(seed)
    kinds, pairs = Counter(), Counter()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        while failed < 5 and (min(kinds[k] for k in KINDS) < least or
                              min(pairs[p] for p in PAIRS) < least):
            generator = Generator(rng)
            for number in range(8):
                if number < 4:
                    kind = min(KINDS, key=lambda each: (kinds[each], rng.random()))
                    kinds[kind] += 1
                    clause = generator.clause(kind)
                else:
                    clause = {"kind": "graph", **generator.chain(pairs, 6)}
                generator.clauses.append({"id": f"c{number + 1}", **clause})
            contract, table = generator.document()
            wrong = compare(contract, table, folder)
            passed += not wrong
            failed += bool(wrong)
            if wrong:
                kept = Path(tempfile.gettempdir()) / f"braid-random-{seed}-{failed}"
                kept.with_suffix(".yaml").write_text(contract)
                kept.with_suffix(".tsv").write_text(table)
                print(f"{wrong}\n  {kept}.yaml and .tsv")
    for pair in sorted(PAIRS, key=lambda each: pairs[each])[:3]:
        print(f"{pair[0]} -> {pair[1]}: {pairs[pair]}")
    print(f"seed {seed}: each of {len(KINDS)} kinds {min(kinds[k] for k in KINDS)} times or more, "
          f"each of {len(PAIRS)} pairs {min(pairs[p] for p in PAIRS)}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

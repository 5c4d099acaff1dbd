"""calculator -- works contracts out a second time, apart from the program.

Written from the formulae of docs/clauses.md and the description of the primitives in
docs/contracts.md, in exact fractions over plain dictionaries: each kind of clause is a function of its
own here and knows nothing of the graph that the program makes of it. Keys are frozensets of
(dimension, word) pairs; a table is {key: Fraction}.
"""
import math
from fractions import Fraction as F

PER = {"month": 1, "quarter": 3, "year": 12}
DIGITS = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3}


def rounded(x, rule):
    """A whole number by the rule."""
    low = math.floor(x)
    rest = x - low
    if rest == 0:
        return low
    up = {"half-even": rest > F(1, 2) or (rest == F(1, 2) and low % 2 == 1),
          "half-away-from-zero": rest > F(1, 2) or (rest == F(1, 2) and x > 0),
          "half-up": rest >= F(1, 2),
          "towards-zero": x < 0, "away-from-zero": x > 0, "floor": False, "ceiling": True}[rule]
    return low + up


def largest_remainder(total, exact):
    """{key: whole} that add up to the whole `total`; ties by key."""
    low = {key: math.floor(x) for key, x in exact.items()}
    order = sorted(exact, key=lambda key: (-(exact[key] - low[key]), sort_key(key)))
    for key in order[:total - sum(low.values())]:
        low[key] += 1
    return low


RANGES = {"age", "conditions", "instalment", "year"}
ORDER = ["party", "period", "person", "event", "indicator", "age", "sex", "year", "instalment"]


def sort_key(key):
    named = sorted(key, key=lambda pair: (ORDER.index(pair[0]) if pair[0] in ORDER else 99, pair[0]))
    return [int(word) if name in RANGES else word for name, word in named]


def project(key, names):
    return frozenset(pair for pair in key if pair[0] in names)


def names_of(key):
    return {name for name, _ in key}


class Contract:
    def __init__(self, document, table):
        self.document = document
        rounding = document.get("rounding", {"rule": "half-even", "at": "line"})
        self.rule = rounding["rule"]
        self.level = rounding["at"]
        self.scale = 10 ** DIGITS[document["currency"]]
        self.inputs = {name: {} for name in document.get("inputs", {})}
        self.clauses = {}
        lines = table.splitlines()
        head = lines[0].split("\t")
        for line in lines[1:]:
            row = dict(zip(head, line.split("\t")))
            name, value = row.pop("input"), row.pop("value")
            self.inputs[name][frozenset((k, v) for k, v in row.items() if v)] = F(value)

    # --- values ---

    def unit(self, name):
        return self.document["inputs"][name]["unit"]

    def at(self, value, key):
        """The value at a key."""
        if isinstance(value, F):
            return value
        if isinstance(value, list):
            return self.cell(value, key)
        if isinstance(value, dict):
            if "first" in value:
                for each in value["first"]:
                    try:
                        return self.at(each, key)
                    except KeyError:
                        continue
                raise KeyError(value)
            return self.at(value["value"], key) / PER[value.get("per", "month")]
        if value in self.inputs:
            spec = self.document["inputs"][value]
            return self.inputs[value].get(project(key, set(spec["by"])),
                                          *([F(spec["default"])] if "default" in spec else [None]))
        if value.startswith("clauses."):
            lines = self.clauses[value[8:]]
            return lines[project(key, names_of(next(iter(lines))))]
        return F(value)

    def cell(self, cells, key):
        words = dict(key)
        for cell in cells:
            if all(self.matches(words, name, wanted) for name, wanted in cell.items()
                   if name not in ("value", "amount")):
                return F(cell.get("value", cell.get("amount")))
        raise KeyError(key)

    @staticmethod
    def matches(words, name, wanted):
        word = words["period"][:4] if name == "year" else words[name]
        if isinstance(wanted, list):
            return word in wanted
        if isinstance(wanted, dict):
            return int(wanted.get("from", 0)) <= int(word) < int(wanted.get("under", 1 << 31))
        return word == wanted

    def keys(self, *values):
        """The keys of the inputs among the values that are told apart by the most."""
        tables = [self.table(value) for value in values]
        tables = [table for table in tables if table]
        most = max(len(next(iter(table))) for table in tables)
        return {key for table in tables if len(next(iter(table))) == most for key in table}

    def table(self, value):
        if isinstance(value, dict) and "value" in value:
            return self.table(value["value"])
        if not isinstance(value, str):
            return None
        if value in self.inputs:
            return self.inputs[value]
        if value.startswith("clauses."):
            return self.clauses[value[8:]]
        return None

    # --- rounding ---

    def money(self, x):
        return F(rounded(x * self.scale, self.rule), self.scale)

    def times(self, quantity, price):
        """Persons, events or months at a price: at the level of persons the price of one is rounded."""
        return quantity * (self.money(price) if self.level == "person" else price)

    def lines(self, amounts):
        """{key: money} of a clause, by the level."""
        if self.level in ("party", "period"):
            sums = {}
            for key, x in amounts.items():
                short = project(key, {"party", "period"})
                sums[short] = sums.get(short, F(0)) + x
            amounts = sums
        if self.level != "period":
            return {key: self.money(x) for key, x in amounts.items()}
        result = {}
        for period in {project(key, {"period"}) for key in amounts}:
            own = {key: x * self.scale for key, x in amounts.items() if period <= key}
            parts = largest_remainder(rounded(sum(own.values()), self.rule), own)
            result.update({key: F(x, self.scale) for key, x in parts.items()})
        return result

    def allocate(self, total, weights):
        minor = rounded(total * self.scale, self.rule)
        size, sign = abs(minor), -1 if minor < 0 else 1
        whole = sum(weights.values())
        if size == 0:
            return {key: F(0) for key in weights}
        parts = largest_remainder(size, {key: size * w / whole for key, w in weights.items()})
        return {key: F(sign * x, self.scale) for key, x in parts.items()}

    def settle(self):
        for clause in self.document["clauses"]:
            clause = dict(clause)
            kind = clause["kind"]
            amounts = graph(self, clause) if kind == "graph" else KINDS[kind](Clause(self, clause))
            self.clauses[clause["id"]] = self.lines(amounts)
        return self.clauses


class Clause:
    """A clause's parameters by name, with the defaults that the formula names."""

    def __init__(self, contract, clause):
        self.contract = contract
        self.given = clause

    def has(self, name):
        return name in self.given

    def raw(self, name, default=None):
        return self.given.get(name, default)

    def v(self, name, key, default=None):
        if name in self.given:
            return self.contract.at(self.given[name], key)
        return F(default)

    def keys(self, *names):
        return self.contract.keys(*(self.given[name] for name in names if name in self.given))

    def periods(self, *names):
        """{(party, period) part of a key: its keys}."""
        groups = {}
        for key in self.keys(*names):
            groups.setdefault(project(key, {"party", "period"}), []).append(key)
        return groups

    def points(self, name, first, second, default=None):
        points = self.given.get(name, default)
        return [(F(p[first]), F(p[second])) for p in points]


def clip(x, low, high):
    return max(low, min(high, x))


def bands(x, points):
    """Each band's rate times what of x lies in it."""
    total = F(0)
    for i, (start, rate) in enumerate(points):
        end = points[i + 1][0] if i + 1 < len(points) else x
        total += rate * max(F(0), min(x, end) - start)
    return total


def straight(x, points):
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def percentile7(values, p):
    values = sorted(values)
    place = (len(values) - 1) * p
    low = math.floor(place)
    if low + 1 >= len(values):
        return values[-1]
    return values[low] + (place - low) * (values[low + 1] - values[low])


# --- the kinds, each from its formula ---

def product(quantity, *factors, names=()):
    def work(c):
        result = {}
        for key in c.keys(quantity, *names, *(name for name, _ in factors)):
            price = F(1)
            for name, default in factors:
                price *= c.v(name, key, default)
            result[key] = c.contract.times(c.v(quantity, key), price)
        return result
    return work


def plain_product(quantity, price):
    return lambda c: {key: c.v(quantity, key) * c.v(price, key) for key in c.keys(quantity, price)}


def year_of_care(c):
    return {key: c.contract.times(c.v("months", key), c.v("price", key))
            if c.v("planned", key, 1) == 1 else F(0) for key in c.keys("months")}


def capitation(c):
    result = {}
    for key in c.keys("months"):
        price = c.v("base", key) * c.v("weight", key, 1) * c.v("risk", key, 1)
        price *= c.v("geographic", key, 1) * (1 - c.v("carved-out", key, 0))
        result[key] = c.contract.times(c.v("months", key), price)
    return result


def block(c):
    count = int(c.raw("instalments", "12"))
    result = {}
    for key in c.keys("amount"):
        amount = c.v("amount", key)
        base = c.v("account", key) if c.has("account") else amount
        due = [c.contract.money(base * k / count) for k in range(count + 1)]
        if c.has("account"):
            due.append(c.contract.money(amount))
        for k in range(1, len(due)):
            result[key | {("instalment", str(k))}] = due[k] - due[k - 1]
    return result


def tariff(c):
    result = {}
    for key in c.keys("spells"):
        price = c.v("price", key) * c.v("short-stay", key, 1) * (1 + c.v("top-up", key, 0))
        whole = c.contract.times(c.v("spells", key), price)
        whole += max(F(0), c.v("days", key, 0) - c.v("trim-point", key, 0)) * c.v("day-price", key, 0)
        result[key] = whole * c.v("market-forces", key, 1)
    return result


def marginal_rate(c):
    result = {}
    for key in c.keys("volume"):
        volume, baseline = c.v("volume", key), c.v("baseline", key)
        counted = min(volume, baseline) + c.v("share", key, "0.30") * max(F(0), volume - baseline)
        result[key] = c.contract.times(counted, c.v("price", key))
    return result


def readmission(c):
    return {key: F(0) if c.v("since", key) <= c.v("limit", key, 30) and c.v("excluded", key, 0) == 0
            else c.v("amount", key) for key in c.keys("amount")}


def bundle(c):
    return {key: c.contract.times(c.v("episodes", key), c.v("expected", key) +
                                  c.v("share", key, "0.50") * c.v("complications", key))
            for key in c.keys("episodes")}


def bundle_reconciliation(c):
    costs = {key: c.v("cost", key) for key in c.keys("cost")}
    if c.has("low"):
        for period in {project(key, {"period"}) for key in costs}:
            own = [key for key in costs if period <= key]
            low = percentile7([costs[key] for key in own], c.v("low", period))
            high = percentile7([costs[key] for key in own], c.v("high", period))
            bounded = {key: clip(costs[key], low, high) for key in own}
            costs.update(bounded)
    result = {}
    for group, keys in c.periods("cost").items():
        targets = sum(c.v("target", key) * (1 - c.v("discount", key, 0)) for key in keys)
        balance = targets - sum(costs[key] for key in keys)
        if balance > 0:
            balance *= c.v("quality-factor", group, 1)
        most = targets * c.v("cap", group, "0.20")
        result[group] = max(-most, min(most, balance))
    return result


def bundle_split(c):
    result = {}
    weights = {key: c.v("weight", key) for key in c.keys("weight")}
    for rest in {frozenset(p for p in key if p[0] != "party") for key in weights}:
        own = {key: w for key, w in weights.items() if rest <= key}
        result.update(c.contract.allocate(c.v("amount", rest), own))
    return result


def ladder(c):
    result = {}
    for key in c.keys("numerator"):
        achieved = c.v("numerator", key) / (c.v("denominator", key) - c.v("exceptions", key, 0))
        lower, upper = c.v("lower", key), c.v("upper", key)
        points = c.v("most", key) * clip((achieved - lower) / (upper - lower), F(0), F(1))
        result[key] = (points * c.v("value", key) * c.v("list-factor", key, 1) *
                       c.v("prevalence", key, 1))
    return result


def withhold_release(c):
    return {group: c.v("outturn", group) * c.v("share", group, "0.025") *
            sum(clip(c.v("achieved", key), F(0), F(1)) * c.v("weight", key) for key in keys)
            for group, keys in c.periods("achieved").items()}


def performance_fund(c):
    return {key: c.v("holdback", key) * clip(c.v("achieved", key) / c.v("planned", key), F(0), F(1))
            for key in c.keys("holdback")}


def relative_pool(c):
    result = {}
    scores = {key: c.v("score", key) for key in c.keys("score")}
    for period in {project(key, {"period"}) for key in scores}:
        own = {key: x for key, x in scores.items() if period <= key}
        if c.raw("shrink", "no") == "yes":
            cases = {key: c.v("cases", key) for key in own}
            mean = sum(cases[key] * own[key] for key in own) / sum(cases.values())
            prior = c.v("prior", period, 20)
            own = {key: (cases[key] * own[key] + prior * mean) / (cases[key] + prior) for key in own}
        if c.has("low"):
            low = percentile7(own.values(), c.v("low", period))
            high = percentile7(own.values(), c.v("high", period))
            own = {key: clip(x, low, high) for key, x in own.items()}
        lowest, highest = min(own.values()), max(own.values())
        spread = c.v("spread", period, "0.70")
        weights = {}
        for key, score in own.items():
            place = (score - lowest) / max(highest - lowest, c.v("ramp", period, 1))
            factor = 1 + spread * place
            if c.raw("spread-as", "ratio") == "share":
                factor -= spread
            weights[key] = factor * c.v("base", key, 1) if c.v("passes", key, 1) == 1 else F(0)
        result.update(c.contract.allocate(c.v("pool", period), weights))
    return result


def shared_savings(c):
    result = {}
    for key in c.keys("benchmark", "spending"):
        benchmark, spending = c.v("benchmark", key), c.v("spending", key)
        saved = (benchmark - spending) / benchmark
        minimum = c.v("minimum-savings", key, 0)
        gain = loss = F(0)
        if saved >= minimum:
            gain = (benchmark - spending) * c.v("sharing-rate", key) * c.v("gain-factor", key, 1)
            if c.has("gain-cap"):
                gain = min(gain, c.v("gain-cap", key) * benchmark)
        least = c.v("minimum-loss", key) if c.has("minimum-loss") else minimum
        if c.v("two-sided", key, 0) == 1 and saved < 0 and -saved >= least:
            loss = (spending - benchmark) * c.v("loss-rate", key, 0)
            if c.has("loss-cap"):
                loss = min(loss, c.v("loss-cap", key) * benchmark)
            if c.has("loss-limit"):
                loss = min(loss, c.v("loss-limit", key))
            loss = max(F(0), loss - c.v("relief", key, 0))
        result[key] = gain - loss
    return result


def fund_sharing(c):
    result = {}
    weights = {key: c.v("weight", key) for key in c.keys("weight")}
    for period in {project(key, {"period"}) for key in weights}:
        own = {key: w for key, w in weights.items() if period <= key}
        shared = max(F(0), c.v("revenue", period) - c.v("costs", period))
        shared *= 1 - c.v("reserve", period, "0.20")
        if c.v("completeness", period, 1) < c.v("least-completeness", period, 0):
            shared = F(0)
        alpha = c.v("alpha", period, 1)
        merited = {key: w * c.v("merit", key, 1) for key, w in own.items()}
        parts = {key: alpha * own[key] / sum(own.values()) +
                 (1 - alpha) * merited[key] / sum(merited.values()) for key in own}
        for key, part in c.contract.allocate(shared, parts).items():
            result[key] = min(part, c.v("cap", key) * c.v("income", key)) if c.has("cap") else part
    return result


ACA = [{"from": "0.03", "rate": "0.50"}, {"from": "0.08", "rate": "0.80"}]


def risk_corridor(c):
    result = {}
    for key in c.keys("target", "spending"):
        target = c.v("target", key)
        off = c.v("spending", key) / target - 1
        result[key] = target * (bands(off, c.points("over", "from", "rate", ACA)) -
                                bands(-off, c.points("under", "from", "rate", ACA)))
    return result


def stop_loss(c):
    result = {}
    for group, keys in c.periods("cost").items():
        total = F(0)
        for key in keys:
            above = max(F(0), c.v("cost", key) - c.v("attachment", key))
            covered = above * (1 - c.v("coinsurance", key, 0))
            total += min(covered, c.v("limit", key)) if c.has("limit") else covered
        result[group] = total
    return result


def aggregate_stop_loss(c):
    result = {}
    for key in c.keys("cost"):
        above = max(F(0), c.v("cost", key) - c.v("attachment", key, 1) * c.v("budget", key))
        covered = above * (1 - c.v("coinsurance", key, 0))
        result[key] = min(covered, c.v("limit", key)) if c.has("limit") else covered
    return result


def pooled_budget(c):
    result = {}
    contributions = {key: c.v("contribution", key) for key in c.keys("contribution")}
    for period in {project(key, {"period"}) for key in contributions}:
        own = {key: x for key, x in contributions.items() if period <= key}
        left = {}
        for key, contribution in own.items():
            over = c.v("spending", key) - contribution
            left[key] = over - clip(over, F(0), c.v("cover", key, 0) * contribution)
        shares = c.contract.allocate(sum(left.values()), own)
        result.update({key: left[key] - shares[key] for key in own})
    return result


def performance_pay(c):
    result = {}
    for group, keys in c.periods("achieved").items():
        score = sum(c.v("branch-weight", key, 1) * c.v("weight", key) * c.v("achieved", key)
                    for key in keys)
        salary = c.v("salary", group)
        bonus = salary * c.v("share", group, "0.06") * score if c.v("passes", group, 1) == 1 else 0
        result[group] = salary + bonus
    return result


def personal_budget(c):
    return {key: (c.v("points", key) * c.v("price", key) if c.v("approved", key, 1) == 1 else F(0)) -
            c.v("unspent", key, 0) * c.v("recovered", key, 1) for key in c.keys("points")}


def real_budget(c):
    result = {}
    for key in c.keys("budget", "spending"):
        balance = c.v("budget", key) - c.v("spending", key)
        result[key] = balance * (c.v("surplus-share", key, 1) if balance > 0 else
                                 c.v("deficit-share", key, 1))
    return result


def notional_budget(c):
    return {key: max(F(0), c.v("budget", key) - c.v("spending", key)) * c.v("share", key, "0.70")
            for key in c.keys("budget", "spending")}


def quality_price(c):
    result = {}
    for key in c.keys("quantity"):
        factor = 1 + straight(c.v("quality", key), c.points("quality-points", "at", "gives"))
        factor += straight(c.v("efficiency", key, 1),
                           c.points("efficiency-points", "at", "gives", [{"at": "1", "gives": "0"}]))
        result[key] = c.contract.times(c.v("quantity", key), c.v("price", key) * factor)
    return result


def global_budget(c):
    result = {}
    for key in c.keys("volume"):
        expected, corridor = c.v("expected", key), c.v("corridor", key, "0.05")
        share, volume = c.v("share", key, "0.50"), c.v("volume", key)
        counted = expected + share * (max(F(0), volume - (1 + corridor) * expected) -
                                      max(F(0), (1 - corridor) * expected - volume))
        result[key] = c.contract.times(counted, c.v("price", key))
    return result


KINDS = {
    "event-fee": product("events", ("price", None)),
    "member-fee": product("months", ("rate", None)),
    "module": product("months", ("price", None)),
    "year-of-care": year_of_care,
    "capitation": capitation,
    "sub-capitation": plain_product("amount", "share"),
    "block": block,
    "tariff": tariff,
    "marginal-rate": marginal_rate,
    "readmission": readmission,
    "bundle": bundle,
    "bundle-reconciliation": bundle_reconciliation,
    "bundle-split": bundle_split,
    "ladder": ladder,
    "withhold-release": withhold_release,
    "performance-fund": performance_fund,
    "relative-pool": relative_pool,
    "shared-savings": shared_savings,
    "fund-sharing": fund_sharing,
    "risk-corridor": risk_corridor,
    "stop-loss": stop_loss,
    "aggregate-stop-loss": aggregate_stop_loss,
    "pooled-budget": pooled_budget,
    "performance-pay": performance_pay,
    "personal-budget": personal_budget,
    "real-budget": real_budget,
    "notional-budget": notional_budget,
    "salary": product("months", ("salary", None)),
    "per-diem": plain_product("days", "price"),
    "quality-price": quality_price,
    "case-mix": product("cases", ("base", None), ("weight", None), ("adjustor", 1)),
    "global-budget": global_budget,
}


# --- graphs of primitives ---

TESTS = {"at-least": lambda a, b: a >= b, "above": lambda a, b: a > b, "at-most": lambda a, b: a <= b,
         "below": lambda a, b: a < b, "is": lambda a, b: a == b, "is-not": lambda a, b: a != b}


class Graph:
    """Nodes of a clause's own graph, each a table {key: value} or, without rows, a plain value."""

    def __init__(self, contract, nodes):
        self.contract = contract
        self.nodes = nodes
        self.done = {}

    def node(self, name):
        """The table of a name or value, or the value itself when it has no rows."""
        if isinstance(name, dict) and not set(name) & {"value", "first"}:
            return self.work(name)
        if isinstance(name, str) and name in self.nodes:
            if name not in self.done:
                self.done[name] = self.node(self.nodes[name])
            return self.done[name]
        table = self.contract.table(name) if isinstance(name, str) else None
        return dict(table) if table is not None else name

    def at(self, operand, key):
        if isinstance(operand, dict) and operand and isinstance(next(iter(operand)), frozenset):
            return operand[project(key, names_of(next(iter(operand))))]
        return self.contract.at(operand, key)

    def keys(self, operands):
        tables = [x for x in operands if isinstance(x, dict) and x and
                  isinstance(next(iter(x)), frozenset)]
        most = max(len(next(iter(x))) for x in tables)
        return {key for x in tables if len(next(iter(x))) == most for key in x}

    def work(self, node):
        (op, body), = node.items()
        return getattr(self, op)(body)

    @staticmethod
    def listed(value):
        return value if isinstance(value, list) else [value]

    def basis(self, body):
        plus = [self.node(x) for x in self.listed(body["of"])]
        minus = [self.node(x) for x in self.listed(body.get("less", []))]
        bound = [self.node(body["at-most"])] if "at-most" in body else []
        rows = {}
        for key in self.keys(plus + minus + bound):
            value = sum(self.at(x, key) for x in plus) - sum(self.at(x, key) for x in minus)
            rows[key] = min([value] + [self.at(x, key) for x in bound])
        own = names_of(next(iter(rows)))
        gone = set(self.listed(body.get("over", [])))
        if "keep" in body:
            gone = own - set(self.listed(body["keep"]))
        rows = self.reduce(rows, gone, body.get("take", "sum"))
        if "per" not in body:
            return rows
        below = self.node(body["per"])
        if isinstance(below, dict):
            below = self.reduce(below, gone, "sum")
        return {key: x / self.at(below, key) for key, x in rows.items()}

    @staticmethod
    def reduce(rows, gone, take):
        if not gone:
            return rows
        groups = {}
        for key, x in rows.items():
            groups.setdefault(frozenset(p for p in key if p[0] not in gone), []).append(x)
        how = {"sum": sum, "min": min, "max": max, "mean": lambda xs: sum(xs) / len(xs)}[take]
        return {key: how(xs) for key, xs in groups.items()}

    def rate(self, body):
        of = self.node(body["of"])
        factors = [self.node(x) for x in self.listed(body.get("by", []))]
        divisors = [self.node(x) for x in self.listed(body.get("per", []))]
        result = {}
        for key in self.keys([of] + factors + divisors):
            x = self.at(of, key)
            for f in factors:
                x *= self.at(f, key)
            for d in divisors:
                x /= self.at(d, key)
            result[key] = x
        return result

    def gate(self, body):
        tests = body["if"] if isinstance(body["if"][0], list) else [body["if"]]
        tests = [(self.node(a), TESTS[op], self.node(b)) for a, op, b in tests]
        of, other = self.node(body["of"]), self.node(body.get("else", "0"))
        operands = [of, other] + [x for a, _, b in tests for x in (a, b)]
        return {key: self.at(of if all(op(self.at(a, key), self.at(b, key)) for a, op, b in tests)
                             else other, key) for key in self.keys(operands)}

    def curve(self, body):
        of = self.node(body["of"])
        first = "at" if body["shape"] == "line" else "from"
        second = "rate" if body["shape"] == "marginal" else "gives"
        points = [(self.node(p[first]), self.node(p[second])) for p in body["points"]]
        result = {}
        for key in self.keys([of] + [x for pair in points for x in pair]):
            known = [(self.at(a, key), self.at(b, key)) for a, b in points]
            x = self.at(of, key)
            if body["shape"] == "line":
                result[key] = straight(x, known)
            elif body["shape"] == "marginal":
                result[key] = bands(x, known)
            else:
                result[key] = [gives for start, gives in known if start <= x][-1]
        return result

    def cap(self, body):
        return self.bound(body, min)

    def floor(self, body):
        return self.bound(body, max)

    def bound(self, body, choose):
        of, at = self.node(body["of"]), self.node(body["at"])
        return {key: choose(self.at(of, key), self.at(at, key)) for key in self.keys([of, at])}

    def allocate(self, body):
        total, weights = self.node(body["of"]), self.node(body["by"])
        result = {}
        for rest in {frozenset(p for p in key if p[0] != body["to"]) for key in weights}:
            own = {key: w for key, w in weights.items() if rest <= key}
            result.update(self.contract.allocate(self.at(total, rest), own))
        return result

    def fund(self, body):
        into = [self.node(x) for x in self.listed(body["in"])]
        out = [self.node(x) for x in self.listed(body["out"])]
        keep = self.node(body.get("keep", "0"))
        carry = body.get("carry", "nothing")
        result, carried = {}, {}
        for key in sorted(self.keys(into + out + [keep]), key=lambda k: dict(k).get("period", "")):
            rest = frozenset(p for p in key if p[0] != "period")
            has = sum(self.at(x, key) for x in into) + carried.get(rest, F(0))
            goes = sum(self.at(x, key) for x in out)
            balance = has - goes
            gives = {"balance": balance, "surplus": max(F(0), balance),
                     "deficit": max(F(0), -balance), "drawn": min(goes, max(F(0), has))}
            result[key] = gives[body["give"]] * (1 - self.at(keep, key))
            carried[rest] = {"nothing": F(0), "deficit": min(F(0), balance), "all": balance}[carry]
        return result

    def timing(self, body):
        of = self.node(body["of"])
        account = self.node(body["account"]) if "account" in body else None
        count = int(body["instalments"])
        result = {}
        for key in self.keys([of] + ([account] if account is not None else [])):
            base = self.at(of if account is None else account, key)
            due = [self.contract.money(base * k / count) for k in range(count + 1)]
            if account is not None:
                due.append(self.contract.money(self.at(of, key)))
            for k in range(1, len(due)):
                result[key | {("instalment", str(k))}] = due[k] - due[k - 1]
        return result


def graph(contract, clause):
    graph_of = Graph(contract, clause["graph"])
    return graph_of.node(clause["pays"])

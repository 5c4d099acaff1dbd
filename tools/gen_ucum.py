#!/usr/bin/env python3
"""gen_ucum -- turns models/ucum.tsv into the constant table of units of measure.

    tools/gen_ucum.py UCUM.tsv OUT.h
    tools/gen_ucum.py --check [UCUM.tsv]

OUT.h (ucum_tables.h) is made at build time and included by src/terms/ucum.c only. Each unit is
worked out to base units: an exact fraction, a power of ten, a power of pi, seven dimensions, and
the arbitrary units in it. Rows may name rows that stand behind them.
"""
import re
import sys
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("prefix", "base", "unit", "special", "arbitrary", "hint")
DIMENSIONS = "LTMACQF"
FUNCTIONS = ("affine", "neglg", "lg", "lg2", "ln", "ld", "sqrt", "tan100", "hp")


class Value:
    def __init__(self, factor=Fraction(1), pi=0, dims=None, arbitrary=None):
        self.factor, self.pi = factor, pi
        self.dims = dims or [0] * 7
        self.arbitrary = arbitrary or {}

    def times(self, other, power):
        self.factor *= other.factor ** power
        self.pi += other.pi * power
        self.dims = [a + b * power for a, b in zip(self.dims, other.dims)]
        for code, each in other.arbitrary.items():
            self.arbitrary[code] = self.arbitrary.get(code, 0) + each * power


class Table:
    def __init__(self, path):
        self.path = path
        self.rows = {}
        self.prefixes = {}
        self.hints = []
        self.done = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line and not line.startswith("#"):
                self.take(number, line)

    def wrong(self, number, text):
        raise SystemExit(f"{self.path}:{number}: {text}")

    def take(self, number, line):
        cells = line.split("\t")
        if len(cells) != 7:
            self.wrong(number, "a row has seven cells")
        kind, code, metric, factor, unit, function, _ = cells
        if kind not in KINDS or metric not in ("yes", "no") or not code:
            self.wrong(number, f"{kind} {code}: the kind, the code or `metric` is none")
        if kind == "prefix":
            self.prefixes[code] = Fraction(factor)
        elif kind == "hint":
            self.hints.append((code, unit))
        elif code in self.rows:
            self.wrong(number, f"{code} is there twice")
        elif (kind == "special") != bool(function) or (function and function.split()[0] not in FUNCTIONS):
            self.wrong(number, f"{code}: '{function}' is no function")
        else:
            self.rows[code] = (number, kind, metric == "yes", factor, unit, function)

    def atom(self, code, number):
        """The value of an atom, or of a prefix and an atom."""
        if code in self.rows:
            return self.value(code)
        for prefix, factor in self.prefixes.items():
            rest = code[len(prefix):]
            if code.startswith(prefix) and rest in self.rows and self.rows[rest][2]:
                value = Value(factor)
                value.times(self.value(rest), 1)
                return value
        return self.wrong(number, f"'{code}' is no unit")

    def value(self, code):
        if code in self.done:
            if self.done[code] is None:
                self.wrong(self.rows[code][0], f"{code} is defined by itself")
            return self.done[code]
        number, kind, _, factor, unit, _ = self.rows[code]
        self.done[code] = None
        value = Value(Fraction(1) if code == "[pi]" else Fraction(factor))
        if kind == "base":
            value.dims[DIMENSIONS.index(unit)] = 1
        elif code == "[pi]":
            value.pi = 1
        else:
            value.times(self.expression(unit, number), 1)
        if kind == "arbitrary" and not value.arbitrary:
            value.arbitrary = {code: 1}
        self.done[code] = value
        return value

    def expression(self, text, number):
        """Parts with . and / between them: what rows need, no brackets."""
        value, power = Value(), 1
        for part in re.split(r"([./])", text):
            if part == "." or part == "/":
                power = 1 if part == "." else -1
                continue
            if not part:
                continue
            match = re.fullmatch(r"(.*?)([+-]?[0-9]+)?", part)
            if re.fullmatch(r"[0-9]+", part):
                value.times(Value(Fraction(int(part))), power)
            elif part in self.rows or match.group(2) is None:
                value.times(self.atom(part, number), power)
            else:
                value.times(self.atom(match.group(1), number), power * int(match.group(2)))
        return value


def split_tens(factor):
    """numerator, denominator, exponent of ten: with the tens taken out of both."""
    top, bottom, exponent = factor.numerator, factor.denominator, 0
    while top % 10 == 0:
        top, exponent = top // 10, exponent + 1
    while bottom % 10 == 0:
        bottom, exponent = bottom // 10, exponent - 1
    while bottom % 5 == 0:
        bottom, top, exponent = bottom // 5, top * 2, exponent - 1
    while bottom % 2 == 0:
        bottom, top, exponent = bottom // 2, top * 5, exponent - 1
    while top % 10 == 0:
        top, exponent = top // 10, exponent + 1
    return top, bottom, exponent


def text(string):
    escaped = string.replace("\\", "\\\\").replace('"', '\\"')
    return f'STR_INIT("{escaped}")'


def render(table):
    arbitrary = sorted(code for code, row in table.rows.items()
                       if row[1] == "arbitrary" and table.value(code).arbitrary == {code: 1})
    out = ["/* Made by tools/gen_ucum.py from models/ucum.tsv. */", "static const Atom atoms[] = {"]
    for code in sorted(table.rows, key=lambda code: code.encode()):
        number, kind, metric, _, _, function = table.rows[code]
        value = table.value(code)
        top, bottom, exponent = split_tens(value.factor)
        if top >= 2 ** 64 or bottom >= 2 ** 64:
            table.wrong(number, f"{code}: the factor has too many digits")
        if len(value.arbitrary) > 1:
            table.wrong(number, f"{code}: of several arbitrary units")
        name, _, argument = function.partition(" ")
        which = arbitrary.index(next(iter(value.arbitrary))) + 1 if value.arbitrary else 0
        dims = ", ".join(map(str, value.dims))
        out.append(f"    {{.code = {text(code)}, .numerator = {top}u, .denominator = {bottom}u, "
                   f".exponent = {exponent}, .pi = {value.pi}, .dims = {{{dims}}}, "
                   f".arbitrary = {which}, .is_metric = {str(metric).lower()}, "
                   f".function = UCUM_{(name or 'linear').upper()}, .argument = {argument or 0}L}},")
    out += ["};", "static const Prefix prefixes[] = {"]
    for code in sorted(table.prefixes, key=lambda code: (-len(code), code)):
        top, bottom, exponent = split_tens(table.prefixes[code])
        out.append(f"    {{.code = {text(code)}, .numerator = {top}u, .exponent = {exponent}}},")
        assert bottom == 1
    out += ["};", "static const Hint hints[] = {"]
    for code, unit in sorted(table.hints, key=lambda row: row[0].encode()):
        out.append(f"    {{.text = {text(code)}, .unit = {text(unit)}}},")
    out += ["};", ""]
    return "\n".join(out)


def main():
    if len(sys.argv) >= 2 and sys.argv[1] == "--check":
        path = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "models" / "ucum.tsv"
        render(Table(path))
        print(f"{path}: {len(Table(path).rows)} units")
    elif len(sys.argv) == 3:
        Path(sys.argv[2]).write_text(render(Table(Path(sys.argv[1]))), encoding="utf-8")
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Holds base/decimal.h against Python's decimal module: random pairs, every rounding rule."""

import os
import random
import subprocess
import sys
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    localcontext,
)
from fractions import Fraction

LIMIT = Decimal(10) ** 28
STEP = Decimal("0.00000001")
RULES = {
    "half-even": ROUND_HALF_EVEN,
    "half-away-from-zero": ROUND_HALF_UP,
    "half-up": None,  # towards the larger number at a tie, which Python has not
    "towards-zero": ROUND_DOWN,
    "away-from-zero": ROUND_UP,
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
}


def quantize(value, step, rule):
    """The fraction (numerator, denominator) brought to a multiple of step by the rule."""
    steps = Fraction(value[0]) / Fraction(value[1]) / Fraction(step)
    top, bottom = steps.numerator, steps.denominator
    whole, rest = divmod(top, bottom)  # floor
    if rest == 0:
        return whole * step
    twice = 2 * rest
    if rule == "half-even":
        up = twice > bottom or (twice == bottom and whole % 2 == 1)
    elif rule == "half-away-from-zero":
        up = twice > bottom or (twice == bottom and top > 0)
    elif rule == "half-up":
        up = twice >= bottom
    elif rule == "towards-zero":
        up = top < 0
    elif rule == "away-from-zero":
        up = top > 0
    else:
        up = rule == "ceiling"
    return (whole + up) * step


def text(value):
    if value == 0:
        return "0"
    plain = format(value.normalize(), "f")
    return plain


def in_range(value):
    return text(value) if abs(value) <= LIMIT else "overflow"


def expected(operation, rule, a, b):
    a, b = Decimal(a), Decimal(b)
    if operation == "add":
        return in_range(a + b)
    if operation == "subtract":
        return in_range(a - b)
    if operation == "multiply":
        return in_range(quantize((a * b, Decimal(1)), STEP, rule))
    if operation == "divide":
        if b == 0:
            return "overflow"
        # a and b as whole numbers of steps, so that the fraction is exact
        return in_range(quantize((a / STEP, b / STEP), STEP, rule))
    if operation == "money":
        cents = quantize((a * b, Decimal(1)), Decimal("0.01"), rule) * 100
        return text(cents) if -(2**63) <= cents < 2**63 else "overflow"
    if operation == "places":
        rounded = quantize((a, Decimal(1)), Decimal("0.01"), "half-even")
        return format(rounded.copy_abs() if rounded == 0 else rounded, ".2f")
    places = int(operation[-1])
    return in_range(quantize((a, Decimal(1)), Decimal(10) ** -places, rule))


def number(rng):
    """Numbers of all sizes, with many ties, ends of the range and small whole ones among them."""
    kind = rng.randrange(8)
    sign = rng.choice(["", "-"])
    if kind == 0:
        return sign + str(rng.randrange(100))
    if kind == 1:
        return sign + str(rng.randrange(1000)) + "." + rng.choice(["5", "25", "125", "00000005"])
    if kind == 2:
        return sign + "9" * rng.randrange(1, 29) + "." + "9" * rng.randrange(1, 9)
    if kind == 3:
        return sign + "0." + "0" * rng.randrange(8) + str(rng.randrange(10))
    if kind == 4:
        return sign + "1" + "0" * rng.randrange(28)
    whole = str(rng.randrange(10 ** rng.randrange(1, 29)))
    fraction = "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 9)))
    return sign + whole + "." + fraction


def clean(value):
    whole, _, fraction = value.partition(".")
    return value if len(fraction) <= 8 else whole + "." + fraction[:8]


def scientific(rng):
    mantissa = clean(number(rng))
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randrange(0, 30)))
    if "." in mantissa:
        mantissa += digits
    return mantissa + rng.choice(["e", "E"]) + rng.choice(["", "+", "-"]) + str(rng.randrange(40))


def main():
    driver = os.path.join(os.environ.get("BRAID_BUILD", "build"), "tests", "base", "decimal_driver")
    rng = random.Random(20260101)
    operations = ["add", "subtract", "multiply", "divide", "money", "places"]
    operations += [f"round{places}" for places in range(9)]
    questions, answers = [], []
    with localcontext(Context(prec=200, Emax=10**6, Emin=-(10**6))):
        for _ in range(60000):
            operation = rng.choice(operations)
            rule = rng.choice(list(RULES))
            a, b = clean(number(rng)), clean(number(rng))
            questions.append(f"{operation} {rule} {a} {b}")
            answers.append(expected(operation, rule, a, b))
        for _ in range(5000):
            a = scientific(rng)
            questions.append(f"parse - {a} 0")
            rounded = quantize((Decimal(a), Decimal(1)), STEP, "half-away-from-zero")
            # A text stands for less than 10^28; results may reach it.
            answers.append(text(rounded) if abs(rounded) < LIMIT else "overflow")
        # Python's own rounding is the judge of the rules that it has.
        for rule, mode in RULES.items():
            for cents in range(-500, 500) if mode else []:
                value = Decimal(cents) / 100
                want = value.quantize(Decimal("0.1"), rounding=mode)
                assert want == quantize((value, Decimal(1)), Decimal("0.1"), rule), (rule, value)
    run = subprocess.run(
        [driver], input="\n".join(questions) + "\n", capture_output=True, text=True, check=True
    )
    got = run.stdout.split("\n")[:-1]
    failed = 0
    if len(got) != len(answers):
        print(f"{len(answers)} answers wanted, {len(got)} got")
        failed = 1
    for question, want, have in zip(questions, answers, got):
        if want != have and not (want == "0" and have == "-0"):
            failed += 1
            if failed < 20:
                print(f"{question}: got {have}, want {want}")
    print(f"{1 if failed == 0 else 0} passed, {0 if failed == 0 else 1} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

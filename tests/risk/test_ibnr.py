#!/usr/bin/env python3
"""`braid ibnr` against published results and against the formulae as their authors print them: Mack
1993 theorem 3 and its corollary (the program goes age by age instead), Bornhuetter-Ferguson, Cape Cod.
Closes with `N passed, N failed, N skipped`."""
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TRIANGLES = ROOT / "../shared/data/triangles"
BRAID = os.environ.get("BRAID", str(ROOT / "build/braid"))
SCRATCH = Path(tempfile.mkdtemp())
passed = failed = skipped = 0


def check(label, is_fine, says=""):
    global passed, failed
    if is_fine:
        passed += 1
    else:
        failed += 1
        print(f"{label}: {says}")


def close(got, want, tolerance=1e-9):
    if want is None or got is None:
        return got is want
    return abs(got - want) <= tolerance * max(1.0, abs(want))


def run(path, *options):
    done = subprocess.run([BRAID, "ibnr", str(path), "--json", *options], capture_output=True,
                          text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr


def write(name, text):
    path = SCRATCH / name
    path.write_text(text)
    return path


def cells_of(rows):
    """rows of (origin, age from 0, cumulative) to {origin: [amounts]}."""
    cells = {}
    for origin, age, amount in sorted(rows):
        assert len(cells.setdefault(origin, [])) == age
        cells[origin].append(amount)
    return cells


def expected(cells, exposure=None, prior=None, decay=1.0):
    """Per origin (ibnr, standard error) and the totals, by the printed formulae."""
    origins = sorted(cells)
    ages = max(len(amounts) for amounts in cells.values())
    factor, square, base = [], [], []
    for k in range(ages - 1):
        both = [cells[o] for o in origins if len(cells[o]) > k + 1]
        base.append(sum(c[k] for c in both))
        factor.append(sum(c[k + 1] for c in both) / base[k])
        square.append(sum(c[k] * (c[k + 1] / c[k] - factor[k]) ** 2 for c in both) / (len(both) - 1)
                      if len(both) > 1 else None)
    for k in range(ages - 1):
        if square[k] is None and k >= 2:
            least = min(square[k - 1], square[k - 2])
            square[k] = min(least, square[k - 1] ** 2 / square[k - 2]) if square[k - 2] else least
    completion, ultimate, variance = {}, {}, {}
    for o in origins:
        latest = len(cells[o]) - 1
        completion[o] = 1 / math.prod(factor[latest:])
        ultimate[o] = cells[o][-1] / completion[o]
        total, amount = 0.0, cells[o][-1]
        for k in range(latest, ages - 1):
            total = None if square[k] is None else total + square[k] / factor[k] ** 2 * (
                1 / amount + 1 / base[k])
            if total is None:
                break
            amount *= factor[k]
        variance[o] = None if total is None else ultimate[o] ** 2 * total
    shared = 0.0
    for o in origins:
        for p in origins:
            if o != p:
                for k in range(max(len(cells[o]), len(cells[p])) - 1, ages - 1):
                    shared += ultimate[o] * ultimate[p] * (
                        math.nan if square[k] is None else square[k]) / factor[k] ** 2 / base[k]
    if exposure is None and prior is None:
        ibnr = {o: ultimate[o] - cells[o][-1] for o in origins}
        error = {o: None if variance[o] is None else math.sqrt(variance[o]) for o in origins}
        total = None if None in variance.values() or math.isnan(shared) else math.sqrt(
            sum(variance.values()) + shared)
        return ibnr, error, sum(ibnr.values()), total
    if exposure is not None:
        prior = {}
        for i, o in enumerate(origins):
            weight = [decay ** abs(i - j) for j in range(len(origins))]
            paid = sum(w * cells[p][-1] for w, p in zip(weight, origins))
            used = sum(w * exposure[p] * completion[p] for w, p in zip(weight, origins))
            prior[o] = exposure[o] * paid / used
    ibnr = {o: prior[o] * (1 - completion[o]) for o in origins}
    return ibnr, None, sum(ibnr.values()), None


def compare(label, answer, want):
    ibnr, error, total, total_error = want
    rows = {row["origin"]: row for row in answer["origins"]}
    for origin, amount in ibnr.items():
        row = rows[str(origin)]
        check(f"{label} {origin}", close(row["ibnr"], amount), f"{row['ibnr']} is not {amount}")
        check(f"{label} {origin} error",
              close(row["standardError"], error[origin] if error else None, 1e-8),
              f"{row['standardError']} is not {error and error[origin]}")
    check(f"{label} total", close(answer["total"]["ibnr"], total), answer["total"])
    check(f"{label} total error", close(answer["total"]["standardError"], total_error, 1e-8),
          f"{answer['total']['standardError']} is not {total_error}")


def published():
    """Mack 1993 (GenIns) and Mack 1994 (RAA); the errors by origin of RAA are printed there too."""
    global skipped
    for name, ibnr, error in [("raa", 52135.23, 26909.01), ("genins", 18680855.61, 2447094.86)]:
        path = TRIANGLES / f"{name}.csv"
        if not path.exists():
            skipped += 1
            continue
        _, answer = run(path)
        check(name, abs(answer["total"]["ibnr"] - ibnr) < 0.01, answer["total"])
        check(f"{name} error", abs(answer["total"]["standardError"] - error) < 0.01,
              answer["total"])
        rows = [line.split(",") for line in path.read_text().split()[1:]]
        compare(name, answer, expected(cells_of(
            [(int(o), int(d) - int(o), float(v)) for d, o, v in rows if v])))


def random_triangles():
    """Any shape: rows of several lengths, in any order of lines, ages or dates, sums or steps."""
    chance = random.Random(20260301)
    for number in range(24):
        count = chance.randint(3, 12)
        ages = chance.randint(3, count)
        pattern = sorted((chance.uniform(0.05, 1) for _ in range(ages)))
        cells = {2001 + i: [1e6 * chance.uniform(0.5, 2) * pattern[k] * chance.uniform(0.9, 1.1)
                            for k in range(min(ages, count - i))] for i in range(count)}
        rows = [(o, k, amount - (amounts[k - 1] if k and number % 3 == 0 else 0))
                for o, amounts in cells.items() for k, amount in enumerate(amounts)]
        chance.shuffle(rows)
        label = [lambda o, k: f"{o},{k + 1}", lambda o, k: f"{o},{o + k}",
                 lambda o, k: f"{o},{12 * (k + 1)}",
                 lambda o, k: f"{o}-01-01,{o + k}-12-31"][number % 4]
        path = write("random.csv", "origin,development,amount\n" + "".join(
            f"{label(o, k)},{amount!r}\n" for o, k, amount in rows))
        options = ["--incremental"] if number % 3 == 0 else []
        named = {f"{o}-01-01" if number % 4 == 3 else str(o): v for o, v in cells.items()}
        status, answer = run(path, *options)
        check(f"random {number}", status == 0, answer)
        if status == 0:
            compare(f"random {number}", answer, expected(named))
        exposure = {o: chance.uniform(1000, 5000) for o in named}
        side = write("side.csv", "origin;exposure;prior\n" + "".join(
            f"{o};{e!r};{e * 300!r}\n" for o, e in exposure.items()))
        decay = chance.choice(["1", "0.75", "0"])
        status, answer = run(path, *options, "--method", "cape-cod", "--exposure", str(side),
                             "--decay", decay)
        check(f"cape cod {number}", status == 0, answer)
        if status == 0:
            compare(f"cape cod {number}", answer,
                    expected(named, exposure=exposure, decay=float(decay)))
        status, answer = run(path, *options, "--method", "bornhuetter-ferguson", "--exposure",
                             str(side))
        compare(f"BF {number}", answer,
                expected(named, prior={o: e * 300 for o, e in exposure.items()}))


def refusals():
    head = "origin,development,values\n"
    cases = [
        ("hole", head + "1,1,5\n1,3,7\n2,1,5\n2,2,6\n", "nothing between"),
        ("twice", head + "1,1,5\n1,1,7\n2,1,5\n", "given in line 2 already"),
        ("letters", head + "1,1,five\n", "'five' is no amount"),
        ("hexadecimal", head + "1,1,0x10\n", "is no amount"),
        ("infinite", head + "1,1,inf\n2,1,1\n", "is no amount"),
        ("too large", head + "1,1,1e999\n", "is no amount"),
        ("label", head + "first,1,5\n", "'first' is no period"),
        ("month 13", head + "2020-13,1,5\n", "is no period"),
        ("empty", head, "there is no amount"),
        ("no header", "", "there is no header"),
        ("column", "origin,dev,values\n1,1,1\n", "no column 'development'"),
        ("columns", "origin,development,a,b\n1,1,1,1\n", "--column"),
        ("zero", head + "1,1,0\n1,2,5\n2,1,0\n", "no factor between"),
        ("apart", head + "2020,1,5\n2021,2,5\n2021,3,6\n", "cannot be linked"),
        ("huge span", head + "2020,1,5\n2021,2,5\n2021,999999,5\n", "more than 1000000 cells"),
    ]
    for name, text, says in cases:
        status, answer = run(write(f"{name}.csv", text))
        check(f"refused: {name}", status == 3 and says in answer, f"{status}: {answer}")
    fine = write("fine.csv", head + "1,1,5\n1,2,6\n2,1,5\n")
    for name, text, says in [
            ("missing", "origin,exposure\n1,5\n", "no exposure of origin '2'"),
            ("unknown", "origin,exposure\n1,5\n2,5\n3,5\n", "no origin '3'"),
            ("twice", "origin,exposure\n1,5\n1,5\n2,5\n", "given twice"),
            ("negative", "origin,exposure\n1,-5\n2,5\n", "no amount of at least zero"),
            ("nothing", "origin,exposure\n1,0\n2,0\n", "sum to nothing")]:
        status, answer = run(fine, "--method", "cape-cod", "--exposure",
                             str(write("side.csv", text)))
        check(f"refused exposure: {name}", status == 3 and says in answer, f"{status}: {answer}")
    for options in (["--method", "guess"], ["--method", "cape-cod"], ["--tail", "x"],
                    ["--decay", "2"], ["--sigma", "x"]):
        status, answer = run(fine, *options)
        check(f"refused {options}", status == 2, f"{status}: {answer}")
    status, answer = run(fine)
    check("two ages have no error", status == 0 and answer["total"]["standardError"] is None,
          answer)
    status, answer = run(fine, "--tail", "1.1")
    check("a tail", status == 0 and close(answer["total"]["ultimate"], (6 + 6) * 1.1), answer)


published()
random_triangles()
refusals()
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0)

#!/usr/bin/env python3
"""Faults put into the code that works contracts out, one at a time: the tests beside this file must
catch each of them. Not part of the ordinary run, as every fault is a build.

    tests/settle/faults.py [FOLDER]      works in a copy of the tree below FOLDER (a temporary one)

BRAID_RUN may name a command that each build and test is run by."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = shlex.split(os.environ.get("BRAID_RUN", ""))
# what, file, from, to
FAULTS = [
    ("at least is above", "eval.c", "return order >= 0;", "return order > 0;"),
    ("above is at least", "eval.c", "return order > 0;", "return order >= 0;"),
    ("at most is below", "eval.c", "return order <= 0;", "return order < 0;"),
    ("below is at most", "eval.c", "return order < 0;", "return order <= 0;"),
    ("the last place of an axis is lost", "eval.c", "if (axis->starts[middle] <= value)",
     "if (axis->starts[middle] < value)"),
    ("the first value is not taken first", "eval.c", "if (lookup != LOOKUP_MISSING)\n            return lookup;",
     "if (lookup == LOOKUP_FAILED)\n            return lookup;"),
    ("a default is zero", "eval.c", "*ret_value = input->fallback;", "*ret_value = ratio_from_int(0);"),
    ("what is taken away is added", "eval_point.c",
     "sum = i < added ? ratio_add(arena, sum, value) : ratio_subtract(arena, sum, value);",
     "sum = ratio_add(arena, sum, value);"),
    ("truncation does nothing", "eval_point.c", "ratio_cmp(sum, value) > 0)", "ratio_cmp(sum, value) > 1)"),
    ("persons are rounded at the line", "eval_point.c", "if (point->node->as.rate.rounds_each) {",
     "if (false && point->node->as.rate.rounds_each) {"),
    ("a divisor multiplies", "eval_point.c", "price = ratio_divide(arena, price, value);",
     "price = ratio_multiply(arena, price, value);"),
    ("one test is enough", "eval_point.c", "i < node->as.gate.test_count && holds", "i < 1 && holds"),
    ("a gate is upside down", "eval_point.c", "need(point, holds ? 0", "need(point, !holds ? 0"),
    ("a line goes on before its first point", "eval_point.c",
     "if (ratio_cmp(x, points->at[0]) <= 0)\n        return points->gives[0];",
     "if (ratio_cmp(x, points->at[0]) == 0)\n        return points->gives[0];"),
    ("a line ends at its first point", "eval_point.c", "return points->gives[points->count - 1];",
     "return points->gives[0];"),
    ("bands overlap", "eval_point.c", "end = points->at[i + 1];", "end = x;"),
    ("a step begins after its bound", "eval_point.c", "ratio_cmp(x, points.at[step - 1]) < 0)",
     "ratio_cmp(x, points.at[step - 1]) <= 0)"),
    ("a floor is a cap", "eval_point.c", "(point->node->op == GRAPH_CAP) ==", "true =="),
    ("a deficit is a surplus", "eval_point.c", "given = larger(ratio_negate(arena, balance), zero);",
     "given = larger(balance, zero);"),
    ("nothing is kept in reserve", "eval_point.c", "if (ratio_sign(keep) == 0)", "if (true)"),
    ("draws are without bound", "eval_point.c", "if (ratio_cmp(out, given) < 0)", "if (true)"),
    ("percentiles start from nought", "eval_rows.c",
     "place = ratio_add(arena, ratio_subtract(arena, place, p), ratio_from_int(1));",
     "place = ratio_subtract(arena, place, p);"),
    ("only low values are winsorised", "eval_rows.c", "else if (ratio_cmp(*value, high) > 0)",
     "else if (ratio_cmp(*value, high) > 1)"),
    ("the least is the most", "eval_rows.c", "(how == GRAPH_TAKE_MIN) ==", "(how == GRAPH_TAKE_MAX) =="),
    ("a mean is a sum", "eval_rows.c", "if (how == GRAPH_TAKE_MEAN)\n        result", "if (false)\n        result"),
    ("remainders go to the smallest rests", "eval_rows.c", "int order = ratio_cmp(right->rest, left->rest);",
     "int order = ratio_cmp(left->rest, right->rest);"),
    ("remainders are dropped", "eval_rows.c", "ret_parts[shares[i].row]++;", "(void)shares[i].row;"),
    ("a negative total is shared out as a positive one", "eval_rows.c",
     "ratio_make(minor < 0 ? -parts[i] : parts[i],", "ratio_make(parts[i],"),
    ("surpluses are carried as deficits", "eval_rows.c", "ratio_sign(carried) > 0)", "ratio_sign(carried) < 0)"),
    ("nothing is carried", "eval_rows.c", "Ratio in = ratio_add(arena, flows[0], carried);", "Ratio in = flows[0];"),
    ("instalments do not cumulate", "eval_rows.c", "            before = due;\n", ""),
    ("the account is not trued up", "eval_rows.c", "is_true_up ? !round_money(eval, node, amount, &due)",
     "is_true_up ? !round_money(eval, node, account, &due)"),
    ("the rule of rounding is another", "eval_line.c",
     "ratio_round_to_steps(line->exact, contract->currency.digits, contract->rounding,",
     "ratio_round_to_steps(line->exact, contract->currency.digits, ROUNDING_HALF_UP,"),
    ("lines are not taken together by party", "eval_line.c",
     "contract->round_at == ROUND_AT_PARTY || contract", "contract"),
    ("period remainders are dropped", "eval_line.c", "maker->lines[rests[i].line].minor++;", "(void)rests[i].line;"),
    ("ties are rounded up", "../base/ratio.c", "return half > 0 || (half == 0 && is_odd);", "return half > 0 || (half == 0 && (is_odd || true));"),
    ("floors of negative amounts are cut", "../base/ratio.c", "return is_negative;\n", "return false;\n"),
]


def run(command, cwd, **environment):
    return subprocess.run(RUN + command, cwd=cwd, capture_output=True, text=True, check=False,
                          env=dict(os.environ, **environment))


def is_caught(tree):
    braid = str(tree / "build/braid")
    for test in (["tests/settle/test_random_contracts.py", "7", "8"], ["tests/settle/test_vectors.py"],
                 ["tests/settle/test_clauses.py"]):
        if run([sys.executable, *test], tree, BRAID=braid).returncode != 0:
            return True
    return False


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="braid-faults-"))
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", ".git"), dirs_exist_ok=True)
    if not (tree / "build").exists():
        run(["meson", "setup", "build"], tree)
    if run(["ninja", "-C", "build", "braid"], tree).returncode != 0 or is_caught(tree):
        print("the tree without a fault does not build or does not pass")
        return 1
    caught = missed = 0
    for what, file, old, new in FAULTS:
        path = tree / "src/contract" / file
        text = path.read_text()
        pattern = re.compile(r"\s+".join(map(re.escape, old.split())) if "\n" not in old else re.escape(old))
        if len(pattern.findall(text)) < 1:
            print(f"{what}: {old!r} is not in {file}")
            missed += 1
            continue
        path.write_text(pattern.sub(lambda _: new, text, count=1))
        built = run(["ninja", "-C", "build", "braid"], tree).returncode == 0
        ok = built and is_caught(tree)
        path.write_text(text)
        caught += ok
        missed += not ok
        if not ok:
            print(f"{what}: {'not caught' if built else 'does not build'}")
    print(f"{caught} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

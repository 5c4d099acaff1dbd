#!/usr/bin/env python3
"""The checks of tools/ find what they are there to find, and nothing in what is right."""
import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Layers(unittest.TestCase):
    layers = load("check_layers")

    def complaints(self, path, line):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / path
            file.parent.mkdir(parents=True)
            file.write_text("\n" + line + "\n")
            (file.parent / "meson.build").write_text("output: ['fhir_tables.h']\n")
            return self.layers.check(Path(folder))

    def test_what_is_allowed(self):
        for path, line in [
            ("src/store/store.c", '#include "store/store_int.h"'),
            ("src/store/store.c", '#include "fhir/fhir.h"'),
            ("src/store/store.c", '#include "base/json.h"'),
            ("src/store/store.c", "#include <string.h>"),
            ("src/store/store.c", "#include <roaring/roaring.h>"),
            ("src/fhir/model.c", '#include "fhir_tables.h"'),
            ("tests/store/test_x.c", '#include "store/store_int.h"'),
        ]:
            with self.subTest(path=path, line=line):
                self.assertEqual(self.complaints(path, line), [])

    def test_what_is_not(self):
        for path, line in [
            ("src/fhir/fhir.c", '#include "store/store.h"'),
            ("src/store/store.c", '#include "cql/cql.h"'),
            ("src/store/store.c", '#include "fhir/tape.h"'),
            ("src/store/store.c", '#include "base/arena.h"'),
            ("src/store/store.c", "#  include <settle/settle.h>"),
            ("src/store/store.c", '#include "store.h"'),
            ("src/store/store.c", '#include "other_tables.h"'),
            ("src/other/other.c", "int x;"),
        ]:
            with self.subTest(path=path, line=line):
                found = self.complaints(path, line)
                self.assertEqual(len(found), 1)
                self.assertRegex(found[0], rf"^{path}:\d+: ")


class HouseRules(unittest.TestCase):
    tidy = load("tidy")

    def complaints(self, name, text):
        wrong = []
        self.tidy.check_text(name, text, wrong)
        if name.endswith((".c", ".h")):
            code = self.tidy.COMMENT_OR_STRING.sub(self.tidy.blank_out, text)
            self.tidy.check_calls(name, code, wrong)
            self.tidy.check_shape(name, text, wrong)
        return wrong

    def test_what_is_allowed(self):
        for name, text in [
            ("src/store/none.c", '/* atoi() is banned */\nconst char *s = "atoi(x)";\n'),
            ("src/store/none.c", "struct tm *t = gmtime_r(&s, &tm);\nmy_rand(1);\n"),
            ("src/store/none.c", "plan->time(1);\nx.exit(2);\n"),
            ("src/cli/none.c", "exit(1);\ngetenv(name);\n"),
            ("src/store/none.h", "/*\n * none -- x\n */\n#pragma once\n"),
            ("Makefile", "all:\n\tx\n"),
        ]:
            with self.subTest(text=text):
                self.assertEqual(self.complaints(name, text), [])

    def test_what_is_not(self):
        for name, text in [
            ("src/store/none.c", "int x = atoi (s);\n"),
            ("src/store/none.c", "time_t t = time(NULL);\n"),
            ("src/store/none.c", "int x;"),
            ("src/store/none.c", "int x; \n"),
            ("src/store/none.c", "int x;\r\n"),
            ("src/store/none.c", "\tint x;\n"),
            ("src/store/none.c", "int x;\n" * 1501),
            ("src/store/none.c", "/* " + "TO" + "DO: later */\n"),
            ("docs/none.md", "see /" + "home/somebody/x\n"),
            ("src/store/none.h", "/* x */\nint x;\n"),
            ("src/store/none.h", "#pragma once\n"),
        ]:
            with self.subTest(text=text[:40]):
                self.assertEqual(len(self.complaints(name, text)), 1)


class RunTests(unittest.TestCase):
    run_tests = load("run_tests")

    def outcome(self, program):
        """Runs a Python program as a test, and drops what is printed about it."""
        code = ("import sys, importlib.util as u\n"
                f"s = u.spec_from_file_location('r', {str(ROOT / 'tools/run_tests.py')!r})\n"
                "m = u.module_from_spec(s); s.loader.exec_module(m)\n"
                f"r = m.run('x', [sys.executable, '-c', {program!r}], None, 1)\n"
                "print('RESULT', *r)\n")
        output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                check=True).stdout
        return tuple(int(word) for word in output.split("RESULT")[1].split())

    def test_counts_and_failures(self):
        for label, program, want in [
            ("passes", "print('3 passed, 0 failed')", (3, 0, 0)),
            ("skips", "print('3 passed, 0 failed, 2 skipped')", (3, 0, 2)),
            ("fails", "print('3 passed, 1 failed'); exit(1)", (3, 1, 0)),
            ("hides a failure", "print('3 passed, 1 failed')", (3, 2, 0)),
            ("bad status", "print('3 passed, 0 failed'); exit(1)", (3, 1, 0)),
            ("no summary", "print('fine')", (0, 1, 0)),
            ("summary not last", "print('3 passed, 0 failed'); print('more')", (0, 1, 0)),
            ("crash", "import os; print('3 passed, 0 failed', flush=True); os.abort()", (3, 1, 0)),
            ("too long", "import time; time.sleep(60)", (0, 1, 0)),
        ]:
            with self.subTest(label):
                self.assertEqual(self.outcome(program), want)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - failed, 0)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

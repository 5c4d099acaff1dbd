#!/usr/bin/env python3
"""Holds base/date.h against Python's datetime: differences, ages, months later, moments."""

import calendar
import os
import random
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone


def add_months(day, months):
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        return "none"
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last)).isoformat()


def age(birth, on):
    if on < birth:
        return -age(on, birth)
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def random_day(rng):
    kind = rng.randrange(4)
    if kind == 0:
        year = rng.choice([4, 1600, 1896, 1904, 1996, 2000, 2020, 2024, 9996])
        return date(year, 2, 29)
    if kind == 1:
        return date(rng.randrange(1900, 2100), rng.randrange(1, 13), rng.choice([1, 28]))
    return date.fromordinal(rng.randrange(1, date.max.toordinal() + 1))


def moment(rng):
    day = date.fromordinal(rng.randrange(2, date.max.toordinal()))
    offset = rng.randrange(-840, 841)
    at = datetime(day.year, day.month, day.day, rng.randrange(24), rng.randrange(60),
                  rng.randrange(60), rng.randrange(1000) * 1000)
    sign = "-" if offset < 0 else "+"
    suffix = f"{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    text = f"{day.isoformat()}T{at.strftime('%H:%M:%S')}.{at.microsecond // 1000:03}{suffix}"
    epoch = datetime(1970, 1, 1)
    ms = (at - epoch) // timedelta(milliseconds=1) - offset * 60000
    if rng.randrange(20) == 0:  # an offset that does not exist
        return text[:-5] + "14:01", "refused"
    return text, str(ms)


def main():
    driver = os.path.join(os.environ.get("BRAID_BUILD", "build"), "tests", "base", "date_driver")
    rng = random.Random(20260102)
    questions, answers = [], []
    for _ in range(30000):
        a, b = random_day(rng), random_day(rng)
        questions.append(f"between {a.isoformat()} {b.isoformat()}")
        answers.append(f"{(b - a).days} {age(a, b)}")
        months = rng.randrange(-3000, 3000)
        questions.append(f"months {a.isoformat()} {months}")
        answers.append(add_months(a, months))
        text, want = moment(rng)
        questions.append(f"moment {text} -")
        answers.append(want)
    run = subprocess.run(
        [driver], input="\n".join(questions) + "\n", capture_output=True, text=True, check=True
    )
    got = run.stdout.split("\n")[:-1]
    failed = int(len(got) != len(answers))
    for question, want, have in zip(questions, answers, got):
        if want != have:
            failed += 1
            if failed < 20:
                print(f"{question}: got {have}, want {want}")
    assert datetime(1970, 1, 1, tzinfo=timezone.utc).timestamp() == 0
    print(f"{1 if failed == 0 else 0} passed, {0 if failed == 0 else 1} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""make_sample -- writes examples/sample: a small population of invented persons as FHIR R4.

    examples/make_sample.py [FOLDER]

24 persons on the lists of 3 practices, 2018 to 2021, as people who deliver data would: some as
NDJSON by type of resource, some as bundles, one of them compressed. Names, dates and values are
drawn from a generator with a fixed seed, so that the same files come out every time; nobody in
them exists. Among them: persons who died before, in and after 2020, prediabetes (which is not
diabetes), a refuted diagnosis, a diagnosis made after the period, HbA1c in mmol/mol, blood
pressure without its diastolic part, and a change of practice.
"""
import datetime
import gzip
import json
import random
import shutil
import sys
from pathlib import Path

SCT = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLASS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

PRACTICES = [("practice-elm", "Elm Street Family Practice"),
             ("practice-harbour", "Harbour Medical Centre"),
             ("practice-mill", "Mill Lane Surgery")]
GIVEN = ["Ada", "Ben", "Clara", "Dev", "Ella", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kemi",
         "Leo", "Mina", "Nils", "Ola", "Pia", "Quinn", "Rosa", "Sven", "Tara", "Uma", "Vito",
         "Wanda", "Yusuf"]
FAMILY = ["Ash", "Birch", "Cedar", "Elder", "Fern", "Hazel", "Ivy", "Larch", "Maple", "Oak",
          "Rowan", "Willow"]

# What is special about a person, by number.
DIABETES = {1, 2, 3, 4, 5, 6, 7, 8, 20}
HYPERTENSION = {1, 3, 5, 7, 9, 10, 11, 12, 13, 14, 21}
DIED = {6: "2020-06-17T04:10:00+01:00", 21: "2019-03-02", 14: "2021-02-11"}


class Maker:
    """Resources of all persons, with numbers for ids."""

    def __init__(self):
        self.random = random.Random(2020)
        self.numbers = {}

    def resource(self, kind, **members):
        number = self.numbers[kind] = self.numbers.get(kind, 0) + 1
        return {"resourceType": kind, "id": f"{kind.lower()}-{number:04d}", **members}

    def day(self, first, last):
        span = (datetime.date.fromisoformat(last) - datetime.date.fromisoformat(first)).days
        return datetime.date.fromisoformat(first) + datetime.timedelta(self.random.randrange(span))

    def instant(self, day):
        hour = self.random.randrange(8, 17)
        minute = self.random.randrange(60)
        offset = "+02:00" if 4 <= day.month <= 9 else "+01:00"
        return f"{day}T{hour:02d}:{minute:02d}:00{offset}"


def concept(system, code, display):
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def quantity(value, unit, code=None):
    return {"value": value, "unit": unit, "system": UCUM, "code": code or unit}


def subject(person):
    return {"reference": f"Patient/{person}"}


def encounter(make, person, practice, day):
    start = make.instant(day)
    end = start[:11] + f"{int(start[11:13]) + 1:02d}" + start[13:]
    return make.resource("Encounter", status="finished",
                         **{"class": {"system": CLASS, "code": "AMB"}},
                         type=[concept(SCT, "185349003", "Encounter for check up")],
                         subject=subject(person), period={"start": start, "end": end},
                         serviceProvider={"reference": f"Organization/{practice}"})


def condition(make, person, code, display, onset, status="active", verification="confirmed"):
    return make.resource("Condition",
                         clinicalStatus={"coding": [{"system": CLINICAL, "code": status}]},
                         verificationStatus={"coding": [{"system": VERIFICATION,
                                                         "code": verification}]},
                         code=concept(SCT, code, display), subject=subject(person),
                         onsetDateTime=onset)


def observation(make, person, day, code, display, **value):
    return make.resource("Observation", status="final", code=concept(LOINC, code, display),
                         subject=subject(person), effectiveDateTime=make.instant(day), **value)


def blood_pressure(make, person, day, systolic, diastolic):
    parts = [("8480-6", "Systolic blood pressure", systolic)]
    if diastolic is not None:
        parts.append(("8462-4", "Diastolic blood pressure", diastolic))
    return observation(make, person, day, "85354-9", "Blood pressure panel", component=[
        {"code": concept(LOINC, code, display), "valueQuantity": quantity(value, "mm[Hg]")}
        for code, display, value in parts])


def hba1c(make, person, day, percent, in_mmol):
    if in_mmol:
        # The published relation of the two scales: IFCC = (NGSP - 2.15) * 10.929.
        value = quantity(round((percent - 2.15) * 10.929), "mmol/mol")
        return observation(make, person, day, "59261-8", "HbA1c (IFCC)", valueQuantity=value)
    return observation(make, person, day, "4548-4", "Hemoglobin A1c", valueQuantity=quantity(
        percent, "%"))


def diabetes_record(make, number, person):
    yield condition(make, person, "44054006", "Diabetes mellitus type 2",
                    str(make.day("2005-01-01", "2018-12-31")))
    for year in (2018, 2019, 2020, 2021):
        if number == 4 and year >= 2020:
            continue  # not measured for too long
        percent = round(make.random.uniform(6.2, 9.4), 1)
        yield hba1c(make, person, make.day(f"{year}-01-05", f"{year}-11-28"), percent, number == 5)
        if number % 2 == 1:
            yield observation(make, person, make.day(f"{year}-02-01", f"{year}-11-28"), "13457-7",
                              "LDL cholesterol (calculated)",
                              valueQuantity=quantity(make.random.randrange(70, 180), "mg/dL"))
    if number in (1, 2, 5):
        yield make.resource("MedicationRequest", status="stopped" if number == 2 else "active",
                            intent="order", subject=subject(person),
                            medicationCodeableConcept=concept(
                                RXNORM, "312961", "Simvastatin 20 MG Oral Tablet"),
                            authoredOn="2019-05-14" if number == 5 else "2020-03-14")


def hypertension_record(make, number, person):
    yield condition(make, person, "59621000" if number % 2 else "38341003",
                    "Essential hypertension", str(make.day("2008-01-01", "2019-06-30")))
    for year in (2018, 2019, 2020, 2021):
        if number == 10 and year >= 2020:
            continue
        diastolic = None if number == 11 else make.random.randrange(68, 99)
        yield blood_pressure(make, person, make.day(f"{year}-01-05", f"{year}-11-28"),
                             make.random.randrange(118, 165), diastolic)


def other_conditions(make, number, person):
    if number == 15:
        yield condition(make, person, "15777000", "Prediabetes", "2017-02-03")
    if number == 16:
        yield condition(make, person, "44054006", "Diabetes mellitus type 2", "2016-09-01",
                        verification="refuted")
    if number == 17:
        yield condition(make, person, "44054006", "Diabetes mellitus type 2", "2021-03-09")
    if number == 18:
        yield condition(make, person, "38341003", "Hypertensive disorder", "2014-04-04",
                        status="resolved")


def person_record(make, number):
    person = f"person-{number:02d}"
    birth = make.day("1934-01-01", "1998-12-31")
    if number in (3, 9):
        birth = datetime.date(1955, 1 + number, 1)  # 65 on the first day of a month of 2020
    patient = {"resourceType": "Patient", "id": person,
               "name": [{"family": FAMILY[number % len(FAMILY)], "given": [GIVEN[number - 1]]}],
               "gender": make.random.choice(["female", "male"]), "birthDate": str(birth)}
    last = "2021-06-30"
    if number in DIED:
        patient["deceasedDateTime"] = DIED[number]
        last = DIED[number][:10]
    yield patient
    practice = PRACTICES[number % 3][0]
    for visit in range(make.random.randrange(3, 8)):
        day = make.day("2018-01-01", last)
        moved = number in (8, 19) and str(day) >= "2020-03-01"
        where = PRACTICES[(number + 1) % 3][0] if moved else practice
        yield encounter(make, person, where, day)
    made = list(other_conditions(make, number, person))
    if number in DIABETES:
        made += diabetes_record(make, number, person)
    if number in HYPERTENSION:
        made += hypertension_record(make, number, person)
    for resource in made:
        day = resource.get("effectiveDateTime", "")[:10]
        if day <= last:
            yield resource


def line(resource):
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")) + "\n"


def bundle(resources):
    entries = [{"fullUrl": f"https://example.org/{r['resourceType']}/{r['id']}", "resource": r}
               for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def main(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make = Maker()
    organisations = [{"resourceType": "Organization", "id": id, "active": True, "name": name}
                     for id, name in PRACTICES]
    persons = [list(person_record(make, number)) for number in range(1, 25)]
    by_type = {}
    for resource in [r for person in persons[:18] for r in person]:
        by_type.setdefault(resource["resourceType"], []).append(resource)
    (folder / "Organization.ndjson").write_text("".join(map(line, organisations)))
    for kind, resources in by_type.items():
        (folder / f"{kind}.ndjson").write_text("".join(map(line, resources)))
    for number in (19, 20):
        (folder / f"person-{number}.json").write_text(
            json.dumps(bundle(persons[number - 1]), indent=2, ensure_ascii=False) + "\n")
    rest = json.dumps(bundle([r for person in persons[20:] for r in person]), ensure_ascii=False)
    (folder / "persons-21-to-24.json.gz").write_bytes(gzip.compress(rest.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sample")

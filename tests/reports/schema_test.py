"""schema_test.py WRITE_SCENES SCHEMA: every report is valid by the schema, and the schema is strict."""

import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import strict_schema


def kinds_of_objects(report):
    """Where a report has objects: "/threads/*/wait"."""
    return {re.sub(r"\d+", "*", where) for where, _ in strict_schema.objects_in(report)}


def damage_must_be_refused(validator, reports):
    """In each kind of object, in one of the smallest reports that have it."""
    done = set()
    for name, report in sorted(reports.items(), key=lambda one: len(json.dumps(one[1]))):
        kinds = kinds_of_objects(report)
        if kinds <= done:
            continue
        done |= kinds
        through, tried = strict_schema.damage_let_through(validator, report)
        print(f"{name}: {tried} times damaged, {len(through)} times said to be valid")
        assert tried and not through, through
    assert done >= {"", "/process", "/finding/orders/*", "/threads/*/wait", "/locks/*/signallers/*", "/calls/*"}, done


def wrong_words_must_be_refused(validator, report):
    def change(edit):
        damaged = copy.deepcopy(report)
        edit(damaged)
        assert not validator.is_valid(damaged), edit.__code__.co_consts

    change(lambda r: r["finding"].update(kind="nonsense"))
    change(lambda r: r["places"][0].update(pc="12"))
    change(lambda r: r["stacks"][0]["frames"][0].update(place=None))
    change(lambda r: r["threads"][0].update(stack="0"))
    change(lambda r: r["process"].update(pid=-1))
    change(lambda r: r["locks"][0]["signallers"].append({}))
    change(lambda r: r["locks"][0].update(kind="semaphor"))
    change(lambda r: r.update(schema="impasse/2"))


def main():
    if strict_schema.jsonschema is None:
        print("skipped: no python3-jsonschema")
        return 77
    validator = strict_schema.validator_of(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        paths = sorted(pathlib.Path(folder).glob("*.json"))
        reports = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    assert len(reports) > 20, list(reports)
    wrong = 0
    for name, report in reports.items():
        for complaint in strict_schema.complaints(validator, report):
            wrong += 1
            print(f"{name}: {complaint}")
    damage_must_be_refused(validator, reports)
    wrong_words_must_be_refused(validator, reports["abba"])
    print(f"{len(reports)} reports, {wrong} complaints")
    return 1 if wrong else 0


sys.exit(main())

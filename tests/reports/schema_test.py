"""schema_test.py WRITE_SCENES SCHEMA: every report is valid by the schema, and the schema is strict."""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: no python3-jsonschema")
    sys.exit(77)


def strict(node, where, loose):
    """Every object of the schema lists its keys, requires all of them and allows no others."""
    if isinstance(node, dict):
        if node.get("type") == "object" and (
            node.get("additionalProperties") is not False or set(node["required"]) != set(node["properties"])
        ):
            loose.append(where)
        for key, value in node.items():
            strict(value, f"{where}/{key}", loose)
    elif isinstance(node, list):
        for i, value in enumerate(node):
            strict(value, f"{where}/{i}", loose)


def must_be_refused(validator, report):
    """Damage that a strict schema notices."""
    def change(edit):
        damaged = copy.deepcopy(report)
        edit(damaged)
        assert not validator.is_valid(damaged), edit.__code__.co_consts

    change(lambda r: r.update(extra=1))
    change(lambda r: r["finding"].update(kind="nonsense"))
    change(lambda r: r["threads"][0].pop("tid"))
    change(lambda r: r["places"][0].update(pc="12"))
    change(lambda r: r["stacks"][0]["frames"][0].update(place=None))
    change(lambda r: r["threads"][0].update(stack="0"))
    change(lambda r: r["finding"].update(doubt="much"))
    change(lambda r: r["process"].update(pid=-1))
    change(lambda r: r["locks"][0]["signallers"].append({}))
    change(lambda r: r["locks"][0].update(kind="semaphor"))
    change(lambda r: r.update(schema="impasse/2"))


def main():
    schema = json.loads(pathlib.Path(sys.argv[2]).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    loose = []
    strict(schema, "", loose)
    assert not loose, loose
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        paths = sorted(pathlib.Path(folder).glob("*.json"))
        assert len(paths) > 20, paths
        wrong = 0
        for path in paths:
            report = json.loads(path.read_text(encoding="utf-8"))
            for error in validator.iter_errors(report):
                wrong += 1
                print(f"{path.name}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}")
            if path.stem == "abba":
                must_be_refused(validator, report)
    print(f"{len(paths)} reports, {wrong} complaints")
    return 1 if wrong else 0


sys.exit(main())

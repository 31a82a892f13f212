"""A JSON Schema that is strict, and the damage to a document that such a one has to refuse."""

import json
import pathlib

try:
    import jsonschema
except ImportError:
    jsonschema = None  # who needs it says "skipped: no python3-jsonschema" and ends with 77

NO_VALUE = [{"no": "such value"}]  # fits nowhere: what lists have is described, too


def validator_of(path):
    """Of the schema in a file, which has to be valid itself, and strict."""
    schema = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    loose = list(loose_places(schema))
    assert not loose, f"{path} is loose at {loose}"
    return jsonschema.Draft202012Validator(schema)


def loose_places(node, where=""):
    """Objects of a schema that do not list their keys, require all of them and allow no others."""
    if isinstance(node, dict):
        if node.get("type") == "object" and (
            node.get("additionalProperties") is not False
            or set(node.get("required", ())) != set(node.get("properties", ()))
        ):
            yield where
        for key, value in node.items():
            yield from loose_places(value, f"{where}/{key}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from loose_places(value, f"{where}/{i}")


def complaints(validator, document):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in validator.iter_errors(document)]


def objects_in(node, where=""):
    """(where, object) of a document; of a list's objects with the same keys the first."""
    if isinstance(node, dict):
        yield where, node
        for key, value in node.items():
            yield from objects_in(value, f"{where}/{key}")
    elif isinstance(node, list):
        met = set()
        for i, value in enumerate(node):
            keys = tuple(sorted(value)) if isinstance(value, dict) else None
            if keys not in met:
                met.add(keys)
                yield from objects_in(value, f"{where}/{i}")


def damage_let_through(validator, document):
    """What is said to be valid after a key was taken away or added, or its value was one that fits nowhere.

    The second answer is how much damage was tried. The document is as before afterwards.
    """
    through, tried = [], 0

    def judge(what):
        nonlocal tried
        tried += 1
        if validator.is_valid(document):
            through.append(what)

    for where, node in list(objects_in(document)):
        node["one_too_many"] = 1
        judge(f"{where} with a key too many")
        del node["one_too_many"]
        for key, value in list(node.items()):
            del node[key]
            judge(f"{where} without {key}")
            node[key] = NO_VALUE
            judge(f"{where}/{key} with a value that fits nowhere")
            node[key] = value
    return through, tried

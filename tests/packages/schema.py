"""The published schema of manifests and the program's reader agree: key by key, and on right and wrong manifests."""
import argparse
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema
import yaml

WHOLE = {
    "id": "com.acme.whole", "version": "1.2.3-rc1", "vendor": "Acme", "license": "MIT", "tier": "preview-c", "summary": "all",
    "library": "whole.so", "runtimes": {"cuda": ">=12,<14", "com.acme.rt": {"version": ">=2", "library": "libacme.so"}},
    "vocabulary": {"consumes": 1, "emits": 1},
    "provides": ["tenon.pass/1", "tenon.op/1", "tenon.codegen/1", "tenon.executor/1", "tenon.frontend/1",
                 "tenon.device/1", "tenon.loader/1", "tenon.kind/1", "com.acme.cost/1"],
    "passes": [{"name": "p", "level": "graph", "summary": "s", "concurrent": True, "unknown": "preserve",
                "options": {"r": {"type": "float", "default": 2, "summary": "s", "choices": [1, 2]}}}],
    "ops": [{"id": "acme.op", "revision": 2, "level": "loop", "args": ["x"], "attrs": {"a": {"type": "int", "default": -1}},
             "effects": "pure", "result": "first", "functions": ["evaluate"], "summary": "s"}],
    "codegen": {"targets": ["cpu"], "formats": ["asm"], "level": "loop", "options": {"o": {"type": "int"}}},
    "executor": {"options": {}, "bounded": False}, "frontend": {"extensions": ["x"]},
    "device": {"kinds": ["com.acme.chip"]}, "loader": {"formats": ["com.acme.stream"]},
    "kinds": [{"id": "acme.Scale/1", "level": "graph", "role": "expression", "effects": "pure",
               "slots": [{"name": "value", "type": "node", "role": "use"}]}],
    "targets": [{"kind": "com.acme.chip", "summary": "s", "features": ["f"], "attributes": {"cores": {"type": "int", "default": 2}}}],
    "offers": {"com.acme.cost/1": {"formats": ["x"]}},
}
# Where keys are listed by the reader: the path in a manifest, and in the schema.
SECTIONS = [
    ([], []), (["vocabulary"], ["properties", "vocabulary"]),
    (["passes", 0], ["properties", "passes", "items"]),
    (["passes", 0, "options", "r"], ["definitions", "option"]),
    (["kinds", 0], ["properties", "kinds", "items"]),
    (["kinds", 0, "slots", 0], ["properties", "kinds", "items", "properties", "slots", "items"]),
    (["targets", 0], ["properties", "targets", "items"]),
    (["device"], ["properties", "device"]), (["loader"], ["properties", "loader"]),
    (["codegen"], ["properties", "codegen"]), (["executor"], ["properties", "executor"]),
    (["frontend"], ["properties", "frontend"]),
    (["runtimes", "com.acme.rt"], ["properties", "runtimes", "additionalProperties"]),
]
# Manifests with one fault: where, and what stands there instead (None: nothing does).
WRONG = [
    (["id"], "Bad Id"), (["id"], None), (["id"], "9x"), (["version"], "1.0"), (["version"], None), (["version"], "one"), (["tier"], "gold"),
    (["tier"], None), (["summary"], None), (["summary"], ["s"]), (["library"], "../x.so"), (["vocabulary"], {"consume": 1}),
    (["vocabulary"], {"consumes": -1}), (["vocabulary"], [1]), (["provides"], ["pass"]), (["provides"], ["tenon.pass/x"]), (["provides"], "x"),
    (["passes"], {}), (["passes", 0, "name"], "A"), (["passes", 0, "name"], None), (["passes", 0, "level"], "loops"),
    (["passes", 0, "concurrent"], "often"), (["passes", 0, "options", "r", "type"], "number"), (["passes", 0, "options", "r", "type"], None),
    (["passes", 0, "options", "r"], 3), (["passes", 0, "options", "r", "choices"], []), (["passes", 0, "options"], [1]),
    (["ops", 0, "level"], "middle"), (["ops", 0, "effects"], "loud"), (["ops", 0, "id"], "plain"), (["ops", 0, "functions"], ["f"]),
    (["ops", 0, "attrs", "a", "type"], "number"), (["ops", 0, "attrs", "a", "choices"], []),
    (["ops", 0, "attrs", "a", "position"], 0), (["ops", 0, "arguments"], []), (["codegen", "targets"], None),
    (["codegen", "level"], "module"), (["codegen", "target"], ["cpu"]), (["executor", "bounded"], "very"), (["frontend"], {}),
    (["frontend", "extension"], ["x"]), (["runtimes", "cuda"], ">=12;<14"), (["runtimes", "cuda"], "newest"), (["runtimes", "cudo"], "12"),
    (["runtimes", "com.acme.rt", "library"], None), (["runtimes", "com.acme.rt", "library"], "libacme"), (["runtimes"], ["cuda"]),
    (["kinds", 0, "id"], "plain/1"), (["kinds", 0, "id"], "acme.Scale"), (["kinds", 0, "level"], "module"), (["kinds", 0, "effects"], None), (["kinds", 0, "role"], "value"),
    (["kinds", 0, "slots", 0, "type"], "tensor"), (["kinds", 0, "slots", 0, "role"], "both"), (["kinds", 0, "slots", 0], "value"),
    (["targets", 0, "kind"], "cpu"), (["targets", 0, "kind"], "a b"), (["targets", 0, "summary"], None), (["targets", 0, "attribute"], {}),
    (["targets", 0, "attributes", "cores", "type"], "list"), (["offers"], ["x"]), (["device", "kinds"], None), (["loader"], {}),
    (["passes", 0, "unknown"], "drop"),
    (["passes", 0, "requires"], ["A b"]), (["passes", 0, "after"], ["simplify"]), (["unknown"], 1),
]
RIGHT = [([], None), (["vendor"], None), (["license"], None), (["runtimes"], None), (["vocabulary"], None), (["runtimes", "cuda"], 12),
         (["runtimes", "cuda"], "12.4"), (["ops", 0, "revision"], None), (["version"], "0.0.1"), (["passes", 0, "options"], None)]


def changed(path, value):
    out = copy.deepcopy(WHOLE)
    if not path:
        return out
    place = out
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return out


def complaints(tenon, file):
    done = subprocess.run([tenon, "check", "--json", file], stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)[0]["complaints"]


def disagreements(schema, tenon, source, folder):
    validator = jsonschema.Draft7Validator(schema)
    file = pathlib.Path(folder) / "manifest.yaml"

    def verdicts(manifest):
        file.write_text(json.dumps(manifest))
        return not list(validator.iter_errors(manifest)), complaints(tenon, file)

    for path, place in SECTIONS:
        ours = schema
        for step in place:
            ours = ours.get(step, {})
        _, said = verdicts(changed(path + ["zzqqzzqqzz"], 1))
        listed = next(c["hint"] for c in said if "zzqqzzqqzz" in c["message"]).removeprefix("its keys are: ").split(", ")
        if set(listed) != set(ours.get("properties", {})):
            yield f"{'.'.join(map(str, path)) or 'the manifest'}: the reader takes {sorted(listed)}, sdk/schema/manifest.schema.json {sorted(ours.get('properties', {}))}"
    for expected, rows in ((True, RIGHT), (False, WRONG)):
        for path, value in rows:
            by_schema, said = verdicts(changed(path, value))
            if by_schema != expected or (not said) != expected:
                yield f"{path} = {value!r}: the schema says {by_schema}, the reader {said or 'ok'}, expected {expected}"
    found = sorted(source.glob("plugins/*/manifest.yaml")) + sorted(source.glob("sdk/examples/*/manifest.yaml"))
    if len(found) < 5:
        yield "no manifests to check"
    for manifest in found:
        for e in validator.iter_errors(yaml.safe_load(manifest.read_text())):
            yield f"{manifest}: {list(e.path)}: {e.message}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--tenon", required=True)
    args = parser.parse_args()
    schema = json.loads((args.source / "sdk/schema/manifest.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    with tempfile.TemporaryDirectory() as folder:
        found = list(disagreements(schema, args.tenon, args.source, folder))
        if found:
            sys.exit("\n".join(found))
        for mutate in (lambda s: s["properties"].pop("runtimes"), lambda s: s["properties"]["tier"]["enum"].append("gold"),
                       lambda s: s["properties"]["codegen"]["properties"].update(x={})):
            wrong = copy.deepcopy(schema)
            mutate(wrong)
            if not list(disagreements(wrong, args.tenon, args.source, folder)):
                sys.exit("a wrong schema is not noticed")
    print(f"schema and reader agree on {len(SECTIONS)} lists of keys, {len(RIGHT)} right and {len(WRONG)} wrong manifests")


if __name__ == "__main__":
    main()

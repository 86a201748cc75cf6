"""The conformance kit finds every fault of a plugin, by the check that is due, and none in it without a fault.

The file of what is expected has a row a fault: the check, its result, and words of its message."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile


def check(args, fault, only, row=""):
    command = [args.tool, "plugin", "check", args.plugin, "--json"]
    if args.general:
        command += ["--sample", args.sample]
    for folder in args.plugin_dir:
        command += ["--plugin-dir", folder]
    for name in only:
        command += ["--only", name]
    if " hang " in row:
        command += ["--timeout", "2"]
    env = dict(os.environ, TENON_FAULT=fault)
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"error": done.stdout + done.stderr}


def complaint(args, row):
    fault, only, due, *words = row.split(None, 3)
    status, report = check(args, fault, [only], row)
    if "checks" not in report or len(report["checks"]) != 1:
        return f"{fault}: no report: {report}"
    result = report["checks"][0]
    if result["result"] != due or status != (0 if due == "pass" else 4):
        return f"{fault}: {only} says {result['result']} ({result.get('message', '')}), exit status {status}; {due} is due"
    said = " ".join([result.get("message", "")] + result.get("notes", []))
    if words and words[0].strip() not in said:
        return f"{fault}: '{said}' does not say '{words[0].strip()}'"
    return None


def matrix_complaints(args):
    complaints = []
    # A crash of one cell of the matrix is a result, and the cells after it are there.
    command = [args.tool, "plugin", "check", args.plugin, "--only", "manifest", "--matrix", "--json"]
    done = subprocess.run(command, env=dict(os.environ, TENON_FAULT="op-crash-on-uint8"), stdout=subprocess.PIPE, text=True)
    cells = {(c["op"], c["dtype"]): c["result"] for c in json.loads(done.stdout)["matrix"]}
    due = {"float32": "ok", "float64": "ok", "int32": "refused", "uint8": "crash"}
    for dtype, result in due.items():
        if cells.get(("com.bad.twice", dtype)) != result:
            complaints.append(f"matrix: {dtype} is {cells.get(('com.bad.twice', dtype))}, {result} is due")
    if len(cells) != 13 or done.returncode != 4:
        complaints.append(f"matrix: {len(cells)} cells, exit status {done.returncode}")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--plugin", type=pathlib.Path, required=True)
    parser.add_argument("--expected", type=pathlib.Path, required=True)
    parser.add_argument("--plugin-dir", action="append", default=[])
    parser.add_argument("--general", action="store_true", help="each check of all plugins needs a fault, and the matrix is looked at")
    args = parser.parse_args()
    rows = [line for line in args.expected.read_text().splitlines() if line and not line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        args.sample = pathlib.Path(folder) / "sample.bad"
        args.sample.write_bytes(b"ok" + bytes(60))
        status, report = check(args, "none", [])
        wrong = [r for r in report.get("checks", [{"result": str(report)}]) if r["result"] not in ("pass", "skip")]
        if status != 0 or wrong:
            sys.exit(f"the plugin without a fault: {json.dumps(wrong, indent=1)}")
        covered = {row.split()[1] for row in rows}
        all_checks = {r["check"] for r in report["checks"]}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            complaints = [c for c in pool.map(lambda row: complaint(args, row), rows) if c]
        if args.general:
            complaints += matrix_complaints(args)
    needed = all_checks - {"exports"} if args.general else {c for c in all_checks if c.endswith("-meaning")}
    missing = needed - covered
    if missing:
        complaints.append(f"no fault is there for: {', '.join(sorted(missing))}")
    if complaints:
        sys.exit("\n".join(complaints))
    print(f"{len(rows)} faults, each found by its check")


if __name__ == "__main__":
    main()

"""A loop-level program through every step that works on loops, each step done by a plugin.

It is parsed and verified, transformed by our passes with a vendor's pass in plain C between two of them, then run by the
interpreter and by code that LLVM generates; both are compared with plain Python. Uses an installed SDK and no checkout.
There is no frontend and no artifact in it: the program is written as loops, and it is run where it is compiled.

  demo.py --sdk PREFIX --work FOLDER
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import npy  # noqa: E402

MODEL = HERE / "dense.py"
PIPELINE = HERE / "pipeline.yaml"
FEATURES, UNITS = 64, 32
EXECUTORS = ["eval-interp", "codegen-llvm"]
BATCHES = [1, 7, 64]
# float32 sums of 64 products of numbers in [-1, 1]: 64 roundings of at most 2^-24 of a partial sum below 64.
TOLERANCE = 64 * 64 * 2.0 ** -24


class Demo:
    def __init__(self, sdk: pathlib.Path, work: pathlib.Path):
        self.sdk, self.work = sdk.resolve(), work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.env = dict(os.environ, TENON_PLUGIN_PATH=str(self.work / "pass-c/lib/tenon/plugins"))

    def title(self, text):
        print(f"\n== {text}", flush=True)

    def call(self, *command):
        done = subprocess.run([str(c) for c in command], env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}{done.stderr}\ndemo: '{' '.join(map(str, command))}' exited {done.returncode}")
        return done.stdout

    def tenon(self, *arguments):
        return self.call(self.sdk / "bin/tenon", *arguments)

    def build_plugin(self):
        self.title("a pass plugin in plain C, built outside the tree against the installed SDK (sdk/examples/pass-c)")
        start = time.monotonic()
        folder = self.work / "pass-c"
        self.call("cmake", "-S", HERE.parent / "pass-c", "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.sdk}")
        self.call("ninja", "-C", folder)
        print(f"built in {time.monotonic() - start:.1f} s")
        print(self.tenon("plugin", "list"), end="")

    def transform(self):
        self.title(f"the program ({MODEL.name}), written as loops and blocks, its batch n symbolic")
        print(MODEL.read_text(), end="")
        self.tenon("check", MODEL)
        self.title("the passes of pipeline.yaml, each by a plugin; the verifier ran after each")
        dumps = self.work / "dumps"
        result = json.loads(self.tenon("opt", MODEL, "--pipeline", PIPELINE, "--json", "--dump-dir", dumps))
        for record in result["passes"]:
            plugin, name = record["pass"].split(":")
            what = "changed" if record["changed"] else "changed nothing"
            print(f"{record['number']:3}  {plugin:20} {name:22} {record['milliseconds']:8.2f} ms  {what}")
        ours = [r["pass"].startswith("com.example.order:") for r in result["passes"]]
        if True not in ours[1:-1] or not all(r["changed"] for r, c in zip(result["passes"], ours) if c):
            sys.exit("demo: the vendor's pass did not change the program between two of ours")
        self.title("the program after the last pass")
        print(result["module"], end="")

    def inputs(self, batch: int):
        """Random inputs as files, and the result in plain Python."""
        seed = 1000 + batch
        rng = random.Random(seed)
        folder = self.work / f"batch-{batch}"
        folder.mkdir(exist_ok=True)
        values = {}
        for name, shape in {"X": (batch, FEATURES), "W": (FEATURES, UNITS), "b": (UNITS,)}.items():
            size = shape[0] * (shape[1] if len(shape) > 1 else 1)
            npy.write(folder / f"{name}.npy", shape, [rng.uniform(-1, 1) for _ in range(size)])
            values[name] = npy.read(folder / f"{name}.npy")[1]
        x, w, b = values["X"], values["W"], values["b"]
        expected = [max(0.0, b[j] + sum(x[i * FEATURES + k] * w[k * UNITS + j] for k in range(FEATURES)))
                    for i in range(batch) for j in range(UNITS)]
        return folder, expected

    def run(self):
        self.title("run by two executors from the same text, compared with plain Python")
        for batch in BATCHES:
            folder, expected = self.inputs(batch)
            results = {}
            for executor in EXECUTORS:
                out = folder / executor
                self.tenon("run", MODEL, "--pipeline", PIPELINE, "--executor", executor, "--output", out,
                           *(f"--input={n}={folder / n}.npy" for n in ("X", "W", "b")), "--dim", f"n={batch}")
                shape, values = npy.read(out / "Y.npy")
                if tuple(shape) != (batch, UNITS):
                    sys.exit(f"demo: {executor} gave the shape {shape} for batch {batch}")
                results[executor] = max(abs(v - e) for v, e in zip(values, expected))
            print(f"batch {batch:3}: largest difference " +
                  ", ".join(f"{e} {d:.1e}" for e, d in results.items()) + f" (allowed {TOLERANCE:.1e})")
            if not max(results.values()) <= TOLERANCE:
                sys.exit("demo: the results are not those of plain Python")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    args = parser.parse_args()
    demo = Demo(args.sdk, args.work)
    demo.build_plugin()
    demo.transform()
    demo.run()
    print("\nEvery result agrees.")


if __name__ == "__main__":
    main()

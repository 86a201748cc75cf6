"""A convolutional network from its ONNX file to a running program: handwritten digits, classified by a compiled artifact.

Every step is done by a plugin that the registry found and the pipeline of plugins.yaml composed. Uses an installed SDK.
train.py made the model and the held-out images.

  demo.py --sdk PREFIX --work FOLDER
"""
import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import npy  # noqa: E402

LEAST_ACCURACY = 97.0
SHADES = " .:-=+*%#@"


class Demo:
    def __init__(self, sdk, work):
        self.tenon_program = sdk.resolve() / "bin/tenon"
        self.work = work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)

    def tenon(self, *arguments):
        command = [str(self.tenon_program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}{done.stderr}\ndemo: '{' '.join(command)}' exited {done.returncode}")
        return json.loads(done.stdout)

    def compile(self):
        print(f"== compiling {HERE.name}/digits.onnx ({(HERE / 'digits.onnx').stat().st_size} bytes), its batch n symbolic")
        artifact = self.work / "digits.so"
        report = self.tenon("compile", HERE / "digits.onnx", "-o", artifact, "--json")
        print(f"{'pass':<40}{'ms':>9}")
        for record in report["passes"]:
            changed = "" if record["changed"] else "  changed nothing"
            print(f"{record['pass']:<40}{record['milliseconds']:>9.2f}{changed}")
        plugins = self.tenon("plugin", "list", "--json")["plugins"]
        print("frontend, code generator and linker: " + ", ".join(
            f"{p['id']} {p['version']}" for p in plugins
            if {"tenon.frontend/1", "tenon.codegen/1", "tenon.linker/1"} & set(p["provides"])))
        print(f"compiled in {report['milliseconds']:.0f} ms; the artifact has {report['bytes']} bytes and holds code and weights")
        return artifact

    def classify(self, artifact):
        print("\n== classifying the held-out images")
        shape, _ = npy.read(HERE / "images.npy")
        labels = [int(v) for v in npy.read(HERE / "labels.npy")[1]]
        report = self.tenon("run", artifact, "--input", f"images={HERE / 'images.npy'}", "--output", self.work, "--bench", 20, "--json")
        (rows, classes), values = npy.read(self.work / "result.npy")
        predicted = []
        for row in range(rows):
            scores = values[row * classes:(row + 1) * classes]
            predicted.append(scores.index(max(scores)))
        return predicted, labels, report["bench"], shape

    def draw(self, predicted, labels, shape):
        pixels = npy.read(HERE / "images.npy")[1]
        height, width = shape[2:]
        chosen = [next(i for i, label in enumerate(labels) if label == digit) for digit in (3, 5, 8, 0)]
        for y in range(height):
            line = []
            for i in chosen:
                at = (i * height + y) * width
                line.append("".join(SHADES[min(int(p * len(SHADES)), len(SHADES) - 1)] * 2 for p in pixels[at:at + width]))
            print("   ".join(line))
        print("   ".join(f"predicted {predicted[i]}".ljust(2 * width) for i in chosen))

    def run(self):
        artifact = self.compile()
        predicted, labels, bench, shape = self.classify(artifact)
        self.draw(predicted, labels, shape)
        right = sum(p == label for p, label in zip(predicted, labels))
        accuracy = 100.0 * right / len(labels)
        print(f"\n{right} of {len(labels)} right: {accuracy:.2f} %")
        print(f"{1000 * bench['median_ms'] / len(labels):.1f} us an image (median of {bench['runs']} runs of all, {bench['threads']} threads)")
        if accuracy < LEAST_ACCURACY:
            sys.exit(f"demo: fewer than {LEAST_ACCURACY} % are right")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    Demo(arguments.sdk, arguments.work).run()


main()

"""Builds the C program that runs a compiled model, and checks what it says: the digits, and each of its refusals."""
import argparse
import pathlib
import shutil
import subprocess
import sys


def run(*command, data=None, status=0):
    done = subprocess.run([str(c) for c in command], input=data, capture_output=True)
    if done.returncode != status:
        sys.exit(f"{done.stdout.decode()}{done.stderr.decode()}\n{command} exited {done.returncode}, expected {status}")
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    a = parser.parse_args()
    examples, sdk, work = a.source / "sdk/examples", a.sdk.resolve(), a.work.resolve()
    sys.path.insert(0, str(examples))
    import npy

    shutil.rmtree(work, ignore_errors=True)
    run("cmake", "-S", examples / "deploy", "-B", work, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={sdk}")
    run("ninja", "-C", work)
    artifact, program = work / "digits.so", work / "classify"
    run(sdk / "bin/tenon", "compile", examples / "digits/digits.onnx", "-o", artifact)
    _, labels = npy.read(examples / "digits/labels.npy")
    raw = (examples / "digits/images.npy").read_bytes()
    images = raw[len(raw) - 4 * 64 * len(labels):]
    said = [int(line) for line in run(program, artifact, 8, 8, data=images).stdout.split()]
    right = sum(p == int(label) for p, label in zip(said, labels))
    if len(said) != len(labels) or right < 0.97 * len(labels):
        sys.exit(f"{right} of {len(labels)} right, {len(said)} answers")

    def refused(text, *arguments, data=images):
        error = run(program, *arguments, data=data, status=1).stderr.decode()
        if text not in error:
            sys.exit(f"'{text}' is not in what {arguments} says:\n{error}")

    refused("dimension 2 is 4 where 8 is expected", artifact, 4, 16)
    refused("classify: ", work / "nothing.so", 8, 8)
    (work / "cut.so").write_bytes(artifact.read_bytes()[:5000])
    refused("classify: ", work / "cut.so", 8, 8)
    print(f"{right} of {len(labels)} right, 3 refusals")


main()

"""Runs the README's page on a first pass plugin: its files are those of the template, they build, test and run as it says."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FILE = re.compile(r"^`(my-pass/[^`]+)`\n```\w*\n(.*?)^```$", re.M | re.S)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
MODULE = "module.py"  # what the page calls the reader's own module


def files_of(readme: str):
    return {name: text for name, text in FILE.findall(readme)}


def commands_of(readme: str):
    """The shell lines of the page after the first pass plugin, without the installation of the SDK."""
    page = readme[readme.index("## A first pass plugin"):]
    return [line for block in SHELL.findall(page) for line in block.splitlines() if not line.startswith("cmake --install")]


def differences(files, sdk: pathlib.Path, folder: pathlib.Path):
    """Where the README and what `tenon plugin new` writes do not agree."""
    made = folder / "made" / "my-pass"
    made.parent.mkdir()
    new = [sdk / "bin/tenon", "plugin", "new", "pass", "my-pass", "--output", made]
    subprocess.run(new, check=True, stdout=subprocess.DEVNULL)
    names = {f"my-pass/{p.relative_to(made)}" for p in made.rglob("*") if p.is_file()}
    complaints = [f"{n} is either not in the README or not written by tenon plugin new" for n in sorted(names ^ set(files))]
    for name in sorted(names & set(files)):
        if files[name] != (made.parent / name).read_text():
            complaints.append(f"{name} differs between the README and what tenon plugin new writes")
    return complaints


def run_page(commands, sdk: pathlib.Path, folder: pathlib.Path, after_new: str):
    """The commands in a folder of their own; `after_new` is a line that runs when the files are there."""
    folder.mkdir()
    test = (sdk / "share/tenon/templates/pass/tests/fold_add_zero.test").read_text()
    (folder / MODULE).write_text(re.search(r"^# --- in.py\n(.*?)(?=^# ---|\Z)", test, re.M | re.S).group(1))
    env = {"PATH": f"{sdk}/bin:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), "PREFIX": str(sdk)}
    if not shutil.which("make"):
        env["CMAKE_GENERATOR"] = "Ninja"
    lines = []
    for line in commands:
        lines += [line] + [after_new] * ("plugin new" in line)
    script = "set -eu\n" + "\n".join(lines) + "\n"
    return subprocess.run(["/bin/sh", "-c", script], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    args = parser.parse_args()
    readme = (args.source / "README.md").read_text()
    files, commands = files_of(readme), commands_of(readme)
    with tempfile.TemporaryDirectory() as name:
        folder, sdk = pathlib.Path(name), args.sdk.resolve()
        complaints = differences(files, sdk, folder)
        if complaints:
            sys.exit("\n".join(complaints))
        done = run_page(commands, sdk, folder / "page", "true")
        if done.returncode != 0 or "my-pass" not in done.stdout or "b[i] = a[i]" not in done.stdout:
            sys.exit(f"{done.stdout}\nthe README's commands exited {done.returncode}, or did not fold the additions")
        # The page can fail: with the pass broken, its test goes red.
        broken = "sed -i 's/imm->value() == 0/imm->value() == 1/' my-pass/src/plugin.cc"
        if run_page(commands, sdk, folder / "broken", broken).returncode == 0:
            sys.exit("the test of the README's plugin passes although the pass is broken")
    print("README: the first pass plugin builds, passes its test and runs; broken on purpose it goes red")


if __name__ == "__main__":
    main()

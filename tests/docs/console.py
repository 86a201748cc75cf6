"""Runs the examples of a page: files that it shows are written, commands after `$ ` are run, and what they print must be what the page shows.

A file is a line with its name in backquotes before a fenced block. Lines of a block ```console are commands and their output (standard
output and errors together); %sdk stands for the folder of the installation. Everything runs in one fresh folder.
"""
import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(?:^`([\w./-]+)`\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


def run(command, folder, env, sdk):
    done = subprocess.run(["/bin/sh", "-c", command], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    return done.stdout.replace(str(sdk), "%sdk")


def differences(page, folder, env, sdk):
    """The number of commands, and a text for each whose output is not what the page shows."""
    complaints, commands = [], 0
    for name, language, text in BLOCK.findall(page):
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if language != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            commands += 1
            actual = run(command, folder, env, sdk)
            if actual != expected:
                diff = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "the page", "the command", lineterm="")
                complaints.append(f"$ {command}\n" + "\n".join(diff))
    return commands, complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="the folder of the programs")
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    sdk = args.bin.resolve().parent
    env = {"PATH": f"{args.bin.resolve()}:{os.environ['PATH']}", "HOME": "/nowhere", "LC_ALL": "C.UTF-8",
           "TENON_PLUGIN_PATH": f"{sdk}/lib/tenon/plugins"}
    for page in args.pages:
        text = page.read_text()
        with tempfile.TemporaryDirectory() as folder:
            commands, complaints = differences(text, pathlib.Path(folder), env, sdk)
        if complaints or not commands:
            sys.exit("\n".join([f"{page}: {len(complaints)} of {commands} examples differ"] + complaints))
        # The page can fail: with a number of its output changed, it does.
        with tempfile.TemporaryDirectory() as folder:
            if not differences(text.replace("ok, ", "ok, 1"), pathlib.Path(folder), env, sdk)[1]:
                sys.exit(f"{page}: the examples pass although what the page shows is wrong")
        print(f"{page.name}: {commands} examples print what the page shows")


if __name__ == "__main__":
    main()

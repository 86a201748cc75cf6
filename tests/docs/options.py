"""Every option that `--help` of a verb shows stands in tool.md or in the page that its row there leads to, and every option that
tool.md shows is one of a verb's."""
import argparse
import pathlib
import re
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
EVERYWHERE = {"--help", "--version"}


def listed(text: str):
    """The verbs of `--help`."""
    return re.findall(r"^  ([a-z]+) ", text.partition("Subcommands:")[2], re.M)


def options(tool, path=()):
    """A map from each verb to the options that its help shows as its own."""
    text = subprocess.run([tool, *path, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {" ".join(path): set(OPTION.findall(text.partition("may stand here too")[0])) - EVERYWHERE}
    for verb in listed(text):
        found |= options(tool, (*path, verb))
    return found


def differences(found, page: str, docs: pathlib.Path):
    beside = {name: set(OPTION.findall((docs / name).read_text())) for name in re.findall(r"\]\((\w+\.md)", page)}
    complaints = []
    for verb, own in found.items():
        rows = [line for line in page.splitlines() if line.startswith("| `tenon " + verb.split(" ")[0])
                and re.search(rf"\b{verb.split(' ')[-1]}\b", line)]
        there = set(OPTION.findall(page))
        for name in re.findall(r"\]\((\w+\.md)", "\n".join(rows)):
            there |= beside[name]
        complaints += [f"tenon {verb}: {option} stands neither in tool.md nor in the pages of its row" for option in sorted(own - there)]
    every = set().union(*found.values()) | EVERYWHERE
    return complaints + [f"tool.md: no verb has {option}" for option in sorted(set(OPTION.findall(page)) - every)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--docs", type=pathlib.Path, required=True)
    args = parser.parse_args()
    page = (args.docs / "tool.md").read_text()
    found = options(args.tool)
    if wrong := differences(found, page, args.docs):
        sys.exit("\n".join(wrong))
    # It can fail: an option that is not told, and one that there is not.
    if len(differences(found, page.replace("--entry", "--entri"), args.docs)) != 2:
        sys.exit("an option with another name was not noticed")
    print(f"{len(found)} verbs: what they take is what the pages say")


if __name__ == "__main__":
    main()

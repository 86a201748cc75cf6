"""Every link of the pages leads to a page and, where it names one, to a heading of it; every page is listed in the index; files of the
repository that pages name exist."""
import argparse
import pathlib
import re
import sys
import tempfile

LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)#\s]*)(?:#([\w-]+))?\)")
# `sdk/examples/npu`, `tests/bench/newcomer.py`, `core/include/tenon/...`: what begins with a folder of the repository's top.
FILE = re.compile(r"`((?:core|registry|sdk|plugins|tests)/[\w./-]*[\w/-])`")


def anchors(text: str):
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def complaints(source: pathlib.Path, docs: pathlib.Path):
    pages = sorted(docs.glob("*.md"))
    found = []
    for page in pages + [source / "README.md"] + sorted((source / "sdk/examples").rglob("*.md")):
        text = page.read_text()
        for target, anchor in LINK.findall(text):
            to = (page.parent / target) if target else page
            if docs != source / "sdk/docs" and not to.exists():
                to = source / "sdk/docs" / target  # a page outside of the copy
            if not to.exists():
                found.append(f"{page.name}: there is no {target}")
            elif anchor and anchor not in anchors(to.read_text()):
                found.append(f"{page.name}: {to.name} has no heading #{anchor}")
        found += [f"{page.name}: there is no {name}" for name in FILE.findall(text) if not (source / name).exists()]
    listed = {target for target, _ in LINK.findall((docs / "index.md").read_text())}
    return found + [f"index.md does not list {p.name}" for p in pages if p.name not in listed | {"index.md"}]


def dead_in_installation(sdk: pathlib.Path):
    pages = sorted((sdk / "share").rglob("*.md"))
    return [f"{page.relative_to(sdk)}: there is no {target}" for page in pages for target, _ in LINK.findall(page.read_text())
            if target and not (page.parent / target).exists()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--sdk", type=pathlib.Path, help="an installation, whose pages are looked at instead")
    args = parser.parse_args()
    source = args.source.resolve()
    if args.sdk:
        sys.exit("\n".join(dead_in_installation(args.sdk)) or 0)
    docs = source / "sdk/docs"
    if wrong := complaints(source, docs):
        sys.exit("\n".join(wrong))
    with tempfile.TemporaryDirectory() as name:  # it can fail: a link, a heading, a file and a page that are not there
        folder = pathlib.Path(name)
        for page in docs.glob("*.md"):
            (folder / page.name).write_text(page.read_text())
        (folder / "lost.md").write_text("# Lost\n[a](nowhere.md) [b](plugins.md#nothing) `sdk/docs/nowhere.md`\n")
        seen = [c for c in complaints(source, folder) if "lost.md" in c]
        if len(seen) != 4:
            sys.exit(f"of four planted mistakes these were found: {seen}")
    print(f"{len(list(docs.glob('*.md')))} pages: links, headings and files are there")


if __name__ == "__main__":
    main()

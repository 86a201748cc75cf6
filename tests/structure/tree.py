"""Files of the repository, and small trees for mutations."""
import pathlib
import shutil
import subprocess

SOURCES = {".c", ".cc", ".h", ".py", ".cmake", ".txt", ".sh", ".yaml", ".test", ".md"}


def files(source: pathlib.Path, *folders: str):
    """The files below the folders (all of them without any), as paths relative to the tree, sorted."""
    if (source / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(source), "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
        found = [pathlib.PurePath(n) for n in names if n and (source / n).is_file()]
    else:
        found = [p.relative_to(source) for p in source.rglob("*")
                 if p.is_file() and not any(part.startswith("build") for part in p.relative_to(source).parts[:1])]
    return sorted(p for p in found if not folders or p.parts[0] in folders)


def text(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def plant(contents: dict):
    """A prepare() that writes these files and gives their folder as source and as build tree."""
    def prepare(folder: pathlib.Path):
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return folder, folder
    return prepare

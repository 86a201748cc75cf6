"""What sdk/docs/packages.md says, done with the program: pack, sign, verify, install, use, remove; and the doctor's first lines."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

MANIFEST = """id: com.acme.thing
version: 1.0.0
vendor: Acme
tier: stable-c
summary: a thing
library: com.acme.thing.so
provides: [com.acme.thing/1]
"""


class World:
    def __init__(self, tenon, folder):
        self.tenon, self.folder = tenon, folder
        self.env = dict(os.environ, TENON_STORE=f"{folder}/store", TENON_TRUST=f"{folder}/trust.yaml", XDG_CACHE_HOME=f"{folder}/cache")
        self.env.pop("TENON_PLUGIN_PATH", None)

    def run(self, *words, code=0, says=None, env=None):
        done = subprocess.run([self.tenon, *words], cwd=self.folder, env=dict(self.env, **(env or {})), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != code or (says and says not in done.stdout):
            sys.exit(f"tenon {' '.join(words)}: exit code {done.returncode} (expected {code}), expected to say {says!r}:\n{done.stdout}")
        return done.stdout


def life_of_a_package(w, good):
    plugin = w.folder / "thing"
    plugin.mkdir()
    (plugin / "manifest.yaml").write_text(MANIFEST)
    (plugin / "com.acme.thing.so").write_bytes(good)
    w.run("plugin", "check", "com.acme.thing", "--plugin-dir", "thing", says="ok")
    w.run("plugin", "keygen", "acme", "--vendor", "Acme")
    w.run("plugin", "keygen", "acme", "--vendor", "Acme", code=3, says="never written over")
    w.run("plugin", "pack", "thing", "-o", "thing.tnp", says="com.acme.thing 1.0.0 for linux-")
    w.run("plugin", "verify", "thing.tnp", code=1, says="its package is not signed")
    w.run("plugin", "install", "thing.tnp", code=1, says="its package is not signed")
    w.run("plugin", "sign", "thing.tnp", "--key", "acme.key", says="signed by key ed25519:")
    w.run("plugin", "install", "thing.tnp", code=1, says="does not trust that key")
    w.run("plugin", "trust", "allow", "acme.pub", says="for plugins of Acme")
    w.run("plugin", "verify", "thing.tnp", says="accepted here: signed by key ed25519:")
    w.run("plugin", "install", "thing.tnp", says="installed")
    w.run("plugin", "install", "thing.tnp", says="was installed already")
    folder = next((w.folder / "store").glob("sha256-*"))
    if (folder / "manifest.yaml").stat().st_mode & 0o222 or folder.stat().st_mode & 0o222:
        sys.exit("what is in the store can be written")
    w.run("plugin", "verify", str(folder), says="accepted here")
    w.run("plugin", "check", "com.acme.thing", says="ok")
    w.run("plugin", "trust", "deny", "acme.pub", "--reason", "stolen", says="denies key")
    w.run("plugin", "check", "com.acme.thing", code=1, says="stolen")
    w.run("plugin", "trust", "show", says="stolen")
    (w.folder / "trust.yaml").unlink()
    w.run("plugin", "keygen", "next", "--successor-of", "acme.key")
    w.run("plugin", "trust", "allow", "acme.pub")
    w.run("plugin", "sign", "thing.tnp", "--key", "next.key")
    w.run("plugin", "verify", "thing.tnp", says="successor of key ed25519:")
    w.run("plugin", "remove", "com.acme.think", code=3, says="did you mean 'com.acme.thing'")
    w.run("plugin", "remove", "com.acme.thing", says="removed")
    w.run("plugin", "check", "com.acme.thing", code=3, says="there is no plugin")
    json.loads(w.run("plugin", "verify", "thing.tnp", "--json"))
    detached(w)


def detached(w):
    """A signature by another program, over the bytes that tar takes out of the package."""
    key = (w.folder / "next.key").read_text()
    seed = next(line for line in key.splitlines() if line.startswith("secret: ")).split()[1]
    (w.folder / "key.der").write_bytes(bytes.fromhex("302e020100300506032b657004220420" + seed))
    (w.folder / "seal").mkdir()
    subprocess.run(["tar", "xf", "thing.tnp", "-C", "seal"], cwd=w.folder, check=True)
    subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", "key.der", "-keyform", "DER", "-in", "seal/seal.json", "-out", "s.sig"],
                   cwd=w.folder, check=True)
    w.run("plugin", "pack", "thing", "-o", "again.tnp")
    w.run("plugin", "sign", "again.tnp", "--detached", "s.sig", "--key", "next.pub")
    if (w.folder / "again.tnp").read_bytes() != (w.folder / "thing.tnp").read_bytes():
        sys.exit("a package signed elsewhere is not the one that is signed here")


def compiled(w, name, source, *flags, language="c"):
    file = w.folder / f"{name}.{language}"
    file.write_text(source)
    out = w.folder / f"{name}.so"
    subprocess.run(["cc" if language == "c" else "c++", "-shared", "-fPIC", "-fvisibility=hidden", str(file), *flags, "-o", str(out)], check=True,
                   cwd=w.folder)
    return out


def doctor(w, good):
    entry = '__attribute__((visibility("default"))) void *tenon_plugin(void) { %s return 0; }\n'
    (w.folder / "good.so").write_bytes(good)
    w.run("plugin", "doctor", "good.so", says="good.so: nothing is wrong\n")
    # A C++ library that a newer compiler built: it needs a version of libstdc++'s symbols that is not there.
    (w.folder / "map").write_text("GLIBCXX_3.4.99 { global: newer; };\n")
    (w.folder / "lib").mkdir()
    fake = compiled(w, "fake", '__attribute__((visibility("default"))) void newer(void) {}\n', "-Wl,--version-script=map",
                    "-Wl,-soname,libstdc++.so.6", "-nostdlib")
    compiled(w, "newer", "void newer(void);\n" + entry % "newer();", str(fake))
    first = w.run("plugin", "doctor", "newer.so", code=3).splitlines()[0]
    if "GLIBCXX_3.4.99 of libstdc++.so.6" not in first or "up to GLIBCXX_3.4." not in first:
        sys.exit("the doctor's first line is: " + first)
    gone = compiled(w, "gone", "void f(void) {}\n", "-Wl,-soname,libgone.so.7", "-fvisibility=default")
    compiled(w, "needs", "void f(void);\n" + entry % "f();", str(gone))
    gone.unlink()
    rows = [("needs", [], None, 3, "needs the library libgone.so.7"),
            ("stack", ["-Wl,-z,execstack"], entry % "", 4, "executable stack"),
            ("extra", ["-fvisibility=default"], entry % "" + "int a, b;", 4, "exports 2 symbols besides tenon_plugin: a, b"),
            ("entry", [], "int tenon_plugin_;", 4, "exports no symbol 'tenon_plugin'"),
            ("undefined", [], "void nowhere(void);" + entry % "nowhere();", 3, "needs the symbol nowhere")]
    if os.uname().machine == "x86_64":
        rows.append(("textrel", ["-Wl,-z,notext"], entry % "" + '__asm__(".text\\n.quad getpid\\n");', 4, "text relocations"))
    for name, flags, source, code, says in rows:
        if source:
            compiled(w, name, source, *flags)
        first = w.run("plugin", "doctor", f"{name}.so", code=code).splitlines()[0]
        if says not in first or not first.startswith(f"{name}.so: it "):
            sys.exit(f"doctor {name}.so begins with: {first}")
    machine = bytearray(good)
    machine[18:20] = (243).to_bytes(2, "little")
    (w.folder / "riscv.so").write_bytes(machine)
    w.run("plugin", "doctor", "riscv.so", code=3, says="riscv.so: it is built for RISC-V")
    w.run("plugin", "doctor", "absent.so", code=3, says="absent.so: it does not exist")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenon", required=True)
    parser.add_argument("--plugin", type=pathlib.Path, required=True)
    args = parser.parse_args()
    good = args.plugin.read_bytes()
    for part in (life_of_a_package, doctor):
        with tempfile.TemporaryDirectory() as folder:
            part(World(args.tenon, pathlib.Path(folder)), good)
            subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        print(f"{part.__name__}: done")


if __name__ == "__main__":
    main()

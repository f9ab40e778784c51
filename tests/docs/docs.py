#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every command that README and guides show, as a reader would type them.

  docs.py --binary build/release/moonlog FILE.md...

The ```sh blocks of a file are joined into one script and run in a fresh folder that holds links to what a clone has; a
daemon that a block starts in the background is waited for and ended. Port 8080 becomes a free one. A block behind the
comment <!-- not run here: reason --> is left out and printed; the reason says which test runs it.
"""
import argparse, os, re, shutil, socket, subprocess, sys, tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BLOCK = re.compile(r"(<!-- not run here: (?P<why>[^>]*) -->\n)?```sh\n(?P<text>.*?)```", re.S)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def script_of(path, port):
    blocks = []
    for found in BLOCK.finditer(open(path).read()):
        if found["why"]:
            print(f"  {os.path.basename(path)}: not run here: {found['why']}")
        else:
            blocks.append(found["text"].replace("8080", str(port)))
    script = "\n".join(blocks)
    # A reader waits a moment after starting the daemon; so do we, by asking whether it is ready.
    wait = f"for i in $(seq 200); do curl -sf localhost:{port}/readyz >/dev/null && break; sleep 0.05; done\n"
    script = re.sub(r"(serve [^\n]*&\n)", lambda m: m.group(1) + wait, script)
    script = "\n".join(line for line in script.split("\n") if not line.startswith("cmake "))
    return script, len(blocks)


def run(path, binary):
    port = free_port()
    script, blocks = script_of(path, port)
    if not blocks:
        return True, 0
    folder = tempfile.mkdtemp(prefix="moonlog-docs-")
    for name in ("domains", "examples", "lua", "tests", "docs"):
        os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    os.makedirs(os.path.join(folder, "build", "release"))
    os.symlink(binary, os.path.join(folder, "build", "release", "moonlog"))
    # curl fails on HTTP errors that the text does not announce by showing them itself.
    script = "set -euo pipefail\ncurl() { command curl --fail-with-body \"$@\"; }\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n" + script
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120)
    shutil.rmtree(folder)
    print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {os.path.relpath(path, ROOT)}: {blocks} blocks")
    if done.returncode != 0:
        print(f"{script}\n--- printed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n--- ended with {done.returncode}")
    return done.returncode == 0, blocks


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    results = [run(path, os.path.realpath(options.binary)) for path in options.files]
    print(f"{sum(blocks for _, blocks in results)} blocks of {len(results)} files")
    return 0 if all(fine for fine, _ in results) and any(blocks for _, blocks in results) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Fails when a room includes what it may not know, or a file has outgrown its subject."""
import pathlib
import re
import sys

MAY = {
    "base": "",
    "vfs": "base",
    "objects": "base",
    "store": "base objects",
    "core": "base vfs store",
    "virtual": "base vfs store",
    "fuse": "base vfs",
    "cli": "base vfs objects store core virtual fuse",
}
# Headers of a library, and the only room that may know it.
LIBRARIES = {
    "fuse": r"fuse3?/|fuse_lowlevel|fuse\.h",
    "store": r"(?:postgresql/)?libpq",
}
INCLUDE = re.compile(r'\s*#\s*include\s*["<]([^">]+)[">]')
LONGEST = 600


def rooms_refused(room, header):
    """Why `room` may not include `header`; empty when it may."""
    door = re.match(r"tuskfs/(\w+)/", header)
    if door and door[1] != room and door[1] not in MAY[room].split():
        return "not one of its rooms"
    private = re.match(r"(\w+)/", header)
    if private and private[1] in MAY and private[1] != room:
        return "private to another room"
    for owner, pattern in LIBRARIES.items():
        if re.match(pattern, header) and room != owner:
            return f"for {owner} only"
    return ""


def complaints(root):
    for path in sorted(root.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        room = path.relative_to(root).parts[0]
        lines = path.read_text().splitlines()
        if len(lines) > LONGEST:
            yield f"{path}: {len(lines)} lines: which second subject moved in?"
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            why = rooms_refused(room, include[1]) if include else ""
            if why:
                yield f"{path}:{number}: {room} may not include {include[1]}: {why}"


def main():
    found = [line for root in ("src", "include/tuskfs") for line in complaints(pathlib.Path(root))]
    print("\n".join(found) or "every room keeps to its own")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What a disk holds after the power went off, made of what faultfs.so kept beside a folder.

    powercut.py begin FOLDER                       everything in it is on disk; the journal is made
    powercut.py apply FOLDER [--variant V] [--seed N]
                                                   the folder becomes what the disk held; prints what was lost

Between the two, programs that are run with environment(FOLDER) write in it, and are killed.  The
journal is FOLDER.powercut, on the same file system; shadow.h says what is in it.

What was synced is always kept: a file's content up to its last fsync or fdatasync, a folder's names
up to the folder's.  What becomes of the rest is the variant's:

    drop     nothing of it
    keep     all of it: the same as a kill
    names    all names, no content: a renamed file may be empty
    content  all content, no names: a new file is gone, a rename did not happen
    prefix   names up to some moment; of what was written to a file the beginning
    blocks   names up to some moment; of what was written some blocks, others as they were, or zeros
    mixed    one of these, chosen anew for each folder and each file
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import sys
import urllib.parse

CONTENT_CHOICES = {"drop": ["drop"], "keep": ["keep"], "names": ["drop"], "content": ["keep"], "prefix": ["prefix"],
                   "blocks": ["blocks"], "mixed": ["drop", "keep", "prefix", "blocks"]}
NAME_CHOICES = {"drop": ["none"], "keep": ["all"], "names": ["all"], "content": ["none"], "prefix": ["some"],
                "blocks": ["some"], "mixed": ["none", "all", "some"]}
VARIANTS = tuple(CONTENT_CHOICES)
BLOCK_SIZES = (512, 4096)
FOLDER = object()


def journal_of(folder):
    folder = pathlib.Path(folder).resolve()
    return folder.with_name(folder.name + ".powercut")


def library(build):
    """The preloaded library of a build folder such as build/release."""
    return pathlib.Path(build).resolve() / "faults" / "faultfs.so"


def environment(folder, preload, **more):
    """What a program needs in its environment, for its writes to be followed."""
    return {"LD_PRELOAD": str(preload), "FAULTFS_FOLDER": str(pathlib.Path(folder).resolve()),
            "FAULTFS_JOURNAL": str(journal_of(folder)), **more}


# --- the log ---------------------------------------------------------------------------------------

def quoted(path):
    """As the library writes it: what divides words and lines is percent-encoded."""
    return re.sub(r"[\x01-\x20%]", lambda match: "%%%02x" % ord(match.group()), str(path)) or "."


def begin(folder):
    """All that is there counts as synced."""
    folder, journal = pathlib.Path(folder).resolve(), journal_of(folder)
    shutil.rmtree(journal, ignore_errors=True)
    for name in ("ino", "disk", "grave"):
        (journal / name).mkdir(parents=True)
    lines = []
    for number, path in enumerate(sorted(folder.rglob("*"))):
        name = quoted(path.relative_to(folder))
        if path.is_dir():
            lines.append("D " + name)
        elif path.is_file():
            kept = "begin-%d" % number
            lines.append("L %s %s" % (name, kept))
            shutil.copyfile(path, journal / "disk" / kept)
            (journal / "ino" / str(path.stat().st_ino)).symlink_to(kept)
    folders = ["."] + [quoted(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir()]
    (journal / "log").write_text("".join(line + "\n" for line in lines + ["S " + name for name in folders]))


class Step:
    """One line of the log: what happened to a name of a folder."""

    def __init__(self, line):
        self.what, *paths = line.split(" ")
        names = [urllib.parse.unquote(path, errors="surrogateescape") for path in paths]
        self.name = "" if names[0] == "." else names[0]
        self.other = names[1] if len(names) > 1 else None
        self.folder = os.path.dirname(self.name)


def read_log(journal):
    text = (journal / "log").read_text(errors="surrogateescape")
    return [Step(line) for line in text[:text.rfind("\n") + 1].split("\n") if line]


def certain_steps(steps):
    """How many steps of each folder its last fsync covers."""
    counts, certain = {}, {}
    for step in steps:
        if step.what == "S":
            certain[step.name] = counts.get(step.name, 0)
        else:
            counts[step.folder] = counts.get(step.folder, 0) + 1
    return counts, {folder: certain.get(folder, 0) for folder in counts}


def chosen_steps(steps, variant, dice):
    """The steps that reached the disk: of each folder those up to some moment."""
    counts, certain = certain_steps(steps)
    limits = {}
    for folder in sorted(counts):
        how = dice.choice(NAME_CHOICES[variant])
        limits[folder] = {"none": certain[folder], "all": counts[folder],
                          "some": dice.randint(certain[folder], counts[folder])}[how]
    done, chosen = dict.fromkeys(counts, 0), []
    for step in steps:
        if step.what != "S":
            done[step.folder] += 1
            if done[step.folder] <= limits[step.folder]:
                chosen.append(step)
    return chosen


def tree_of(steps):
    """{path: kept name, or FOLDER} after these steps."""
    tree = {}
    for step in steps:
        if step.what == "D":
            tree[step.name] = FOLDER
        elif step.what == "L":
            tree[step.name] = step.other
        elif step.what == "M":
            tree[step.other] = tree.pop(step.name)
        else:
            tree.pop(step.name, None)
    return {path: kept for path, kept in tree.items() if all_there(tree, os.path.dirname(path))}


def all_there(tree, folder):
    return folder == "" or (tree.get(folder) is FOLDER and all_there(tree, os.path.dirname(folder)))


# --- contents --------------------------------------------------------------------------------------

def content_after(old, new, how, dice):
    """`old` is what was synced, `new` what is there since, both bytes."""
    if how in ("drop", "keep") or old == new:
        return old if how == "drop" else new
    size = dice.choice(BLOCK_SIZES)
    starts = [at for at in range(0, max(len(old), len(new)), size) if old[at:at + size] != new[at:at + size]]
    if how == "prefix":
        kept = starts[:dice.randint(0, len(starts))]
        whole = len(kept) == len(starts)
        length = len(new) if whole else max([len(old)] + [min(at + size, len(new)) for at in kept])
    else:
        kept = [at for at in starts if dice.random() < 0.5]
        length = dice.choice([len(old), len(new)])
    made = bytearray(old.ljust(max(len(old), len(new)), b"\0"))  # what never came reads as zeros
    for at in kept:
        block = new[at:at + size]
        made[at:at + len(block)] = block
    return bytes(made[:length])


def current_files(folder, journal):
    """{kept name: path} of all inodes that can still be read."""
    names = {int(link.name): os.readlink(link) for link in (journal / "ino").iterdir()}
    found = {path.name: path for path in (journal / "grave").iterdir()}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            kept = names.get(path.stat().st_ino)
            if kept:
                found[kept] = path
    return found


def content_of(kept, current, journal, variant, dice):
    disk = journal / "disk" / kept
    old = disk.read_bytes() if disk.exists() else b""
    new = current[kept].read_bytes() if kept in current else old
    return content_after(old, new, dice.choice(CONTENT_CHOICES[variant]), dice), old, new


def apply(folder, variant="drop", seed=0):
    """The folder becomes what the disk held; returns {path: what was lost}.  Then begins anew."""
    folder, journal = pathlib.Path(folder).resolve(), journal_of(folder)
    dice = random.Random("%s-%s" % (variant, seed))
    steps = read_log(journal)
    tree, now = tree_of(chosen_steps(steps, variant, dice)), tree_of([step for step in steps if step.what != "S"])
    current = current_files(folder, journal)
    made = folder.with_name(folder.name + ".restored")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    lost = {path: "the name" for path in now if path not in tree}
    for path in sorted(tree):
        if tree[path] is FOLDER:
            (made / path).mkdir()
            continue
        content, old, new = content_of(tree[path], current, journal, variant, dice)
        (made / path).write_bytes(content)
        if tree[path] in current:
            os.chmod(made / path, current[tree[path]].stat().st_mode & 0o7777)
        if content != new or now.get(path) != tree[path]:
            lost[path] = "synced %d, written %d, kept %d" % (len(old), len(new), len(content))
    replace_all(folder, made)
    begin(folder)
    return lost


def replace_all(folder, made):
    """The folder itself stays: somebody may be in it."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in made.iterdir():
        path.rename(folder / path.name)
    made.rmdir()


def end(folder):
    """The journal goes."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(journal_of(folder))


def main():
    parser = argparse.ArgumentParser(description="What a disk holds after the power went off.")
    parser.add_argument("command", choices=("begin", "apply"))
    parser.add_argument("folder")
    parser.add_argument("--variant", choices=VARIANTS, default="drop")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.command == "begin":
        begin(chosen.folder)
    else:
        json.dump(apply(chosen.folder, chosen.variant, chosen.seed), sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()

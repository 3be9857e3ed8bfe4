"""Put what was made beside a path under its name: at once, whatever was there before."""

import contextlib
import os
import shutil
from pathlib import Path


def replace(fresh: Path, path: Path) -> None:
    """`fresh` becomes `path`. Over a folder this takes two renames, since a folder replaces none but an empty one."""
    try:
        os.replace(fresh, path)
    except OSError:
        if not os.path.lexists(path) or not fresh.exists():
            raise
        aside = path.with_name(f".{path.name}.old")
        remove(aside)
        os.rename(path, aside)
        os.rename(fresh, path)
        remove(aside)


def link(entry: Path, path: Path) -> None:
    """Make `path` show what the cache holds: by hard links on one volume, else by a symbolic link, which the server
    follows because it mounts the cache at the same place, else by a copy.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    for way in (_hard_links, _symbolic_link, _copy):
        remove(fresh)
        try:
            way(entry, fresh)
        except OSError:
            if way is _copy:
                raise
            continue
        return replace(fresh, path)


def remove(path: Path) -> None:
    """A file, a link or a folder; nothing if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _hard_links(entry: Path, fresh: Path) -> None:
    if entry.is_dir():
        shutil.copytree(entry, fresh, copy_function=os.link)
    else:
        os.link(entry, fresh)


def _symbolic_link(entry: Path, fresh: Path) -> None:
    fresh.symlink_to(entry.absolute())


def _copy(entry: Path, fresh: Path) -> None:
    if entry.is_dir():
        shutil.copytree(entry, fresh)
    else:
        shutil.copyfile(entry, fresh)

# SPDX-License-Identifier: Apache-2.0
"""Where it goes: whole or not at all, never over something that is there unless told to; and libraries that may not be installed."""
import contextlib
import errno
import importlib
import json
import os

from . import _result
from .. import _core


class StoreError(_core.DeviceError):
    """A store or its library failed in the middle. What it had taken is gone again, or the text says where it is left."""


def library(name, extra):
    """The module of a neighbour. Raises ImportError naming the extra of this package that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if not str(error.name or "").startswith(name.split(".")[0]):  # it is there, and lacks something itself
            raise
        raise ImportError(f"{name} is not installed: pip install 'penchant[{extra}]'", name=name) from None


def refuse(target):
    raise _core.InputError(f"{target}: is there already; overwrite=True replaces it")


@contextlib.contextmanager
def failing(store, target, undo=None, after="nothing of it is kept"):
    """Turns what a store's library raises into a StoreError, after undo(). Errors of this package and of the file system stay."""
    try:
        yield
    except BaseException as error:
        left = ""
        if undo is not None:
            try:
                undo()
            except Exception as second:
                left = f"; what it had taken could not be removed: {second}"
        if isinstance(error, (_core.InputError, _core.DeviceError, OSError, MemoryError)) or not isinstance(error, Exception):
            raise
        raise StoreError(f"{store}: {target}: {error}{left or f'; {after}'}") from error


class NewFiles:
    """An index file, PATH.ids.jsonl with its raw ids and PATH.json with its Handoff: under other names until all are complete.

    >>> with new_files("faiss", path, overwrite=False) as files:  # doctest: +SKIP
    ...     faiss.write_index(index, files.index)
    ...     files.finish(handoff, ids)
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        folder, name = os.path.split(self.path)
        self._hidden = os.path.join(folder, f".{name}.{os.getpid()}.unfinished")
        self.index = self._hidden
        self.ids = f"{self.path}.ids.jsonl"
        self.finished = False

    def finish(self, handoff, ids=None):
        if ids is not None:
            with open(f"{self._hidden}.ids.jsonl", "w", encoding="utf-8") as file:
                file.writelines(json.dumps(text, ensure_ascii=False) + "\n" for text in ids)
        _result.save(handoff, f"{self._hidden}.json")
        for suffix in ("", ".ids.jsonl", ".json"):
            if os.path.exists(self._hidden + suffix):
                with open(self._hidden + suffix, "rb+") as file:
                    os.fsync(file.fileno())
        # The index comes last, and an old one goes first: at no moment does one stand beside the ids of another.
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)
        for suffix in (".ids.jsonl", ".json", ""):
            if os.path.exists(self._hidden + suffix):
                os.replace(self._hidden + suffix, self.path + suffix)
        self.finished = True

    def remove(self):
        for suffix in ("", ".ids.jsonl", ".json"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self._hidden + suffix)


@contextlib.contextmanager
def new_files(store, path, overwrite):
    files = NewFiles(path)
    folder = os.path.dirname(files.path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "no such folder", folder)
    if os.path.isdir(files.path):
        raise _core.InputError(f"{files.path}: is a folder, expected the name of a file")
    if os.path.exists(files.path) and not overwrite:
        refuse(files.path)
    with failing(store, files.path, files.remove):
        yield files
        if not files.finished:
            raise AssertionError("the files were not finished")


HALFWAY = "some of its rows are the new ones already, and the same call again does the rest"


def missing(target):
    raise _core.InputError(f"{target}: is not there; a delta needs the rows that it was made since")


def require_size(path, expected):
    """A library that does not look whether its writes succeed leaves a file that is too short where the disk is full."""
    size = os.path.getsize(path)
    if size != expected:
        raise OSError(f"{path}: {size} bytes were written of {expected}: the disk may be full")


def version(distribution):
    from importlib.metadata import version as installed

    return installed(distribution)

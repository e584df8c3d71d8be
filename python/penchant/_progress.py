# SPDX-License-Identifier: Apache-2.0
"""What is shown while the library works: a bar by tqdm, in a terminal or a notebook."""
import logging
import warnings


class PenchantWarning(UserWarning):
    """Something that the user should know, such as rejected rows: what the command line prints behind "warning:"."""


class Bars:
    """A bar a stage. Summaries and notes go to the logger "penchant"; warnings are PenchantWarning."""

    def __init__(self):
        self._stage, self._bar = "", None
        self._log = logging.getLogger("penchant")

    def begin(self, stage):
        self._close()
        self._stage = stage

    def update(self, done, total, detail):
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total or None, desc=self._stage, leave=False)
        self._bar.total = total or None
        self._bar.n = done
        self._bar.set_postfix_str(detail, refresh=False)
        self._bar.refresh()

    def end(self, summary):
        self._close()
        self._log.info("%s: %s", self._stage, summary)

    def warn(self, message):
        warnings.warn(message, PenchantWarning, stacklevel=3)

    def note(self, message):
        self._log.info("%s: %s", self._stage, message)

    def _close(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    close = _close


class _Quiet:
    def __init__(self, sink):
        self.sink = sink

    def __enter__(self):
        return self.sink

    def __exit__(self, *_):
        if self.sink is not None and hasattr(self.sink, "close"):
            self.sink.close()


def shown(progress):
    """The sink of an argument `progress`, for a with statement that closes it."""
    if progress is True:
        return _Quiet(Bars())
    return _Quiet(progress or None)

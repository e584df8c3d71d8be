#!/usr/bin/env bash
# METIS 5.1.0 as Debian 12 packages it (libmetis5 5.1.0.dfsg-7): while it partitions it catches SIGTERM and SIGABRT for itself, and afterwards
# it puts the program's handlers back by signal() as System V had it: for one delivery. The first SIGTERM after a partition is handled,
# the second ends the process, whatever the program had set up. The METIS inside PyMetis 2025.2.2 catches them as well, but puts them back whole.
# Expected: the disposition of a signal is the same before and after a call of a library. Seen: SA_RESETHAND and SA_NODEFER are added.
# Penchant saves both dispositions around the call (partition/metis.cc).
source "$(dirname "$0")/common.bash"
environment pymetis==2025.2.2 numpy==2.2.6
apt-get download --quiet=2 libmetis5=5.1.0.dfsg-7
dpkg -x libmetis5_*.deb debian
python - debian/usr/lib/*/libmetis.so.5 <<'CODE'
import ctypes
import signal
import sys

import pymetis


class Disposition(ctypes.Structure):  # struct sigaction of glibc on 64-bit Linux
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int), ("restorer", ctypes.c_void_p)]


def disposition():
    found = Disposition()
    assert ctypes.CDLL(None).sigaction(signal.SIGTERM, None, ctypes.byref(found)) == 0
    return found.handler, sorted(name for name, bit in (("SA_RESETHAND", 0x80000000), ("SA_NODEFER", 0x40000000)) if found.flags & bit)


signal.signal(signal.SIGTERM, lambda *_: None)
count = 50
links = [[other for other in (vertex - 1, vertex + 1) if 0 <= other < count] for vertex in range(count)]
before = disposition()
pymetis.part_graph(4, adjacency=links)
by_wheel = disposition()

ints = lambda values: (ctypes.c_int32 * len(values))(*values)
one = lambda value: ctypes.byref(ctypes.c_int32(value))
offsets = [0]
for each in links:
    offsets.append(offsets[-1] + len(each))
parts = ints([-1] * count)
status = ctypes.CDLL(sys.argv[1]).METIS_PartGraphKway(
    one(count), one(1), ints(offsets), ints([other for each in links for other in each]), None, None, None, one(4), None, None, None,
    one(0), parts)
by_debian = disposition()
assert status == 1 and set(parts) == {0, 1, 2, 3}, (status, list(parts))
print("flags of SIGTERM before:", before[1], " after PyMetis:", by_wheel[1], " after Debian's METIS:", by_debian[1])
assert before == by_wheel and not before[1], "PyMetis leaves another handler"
assert by_debian == (before[0], ["SA_NODEFER", "SA_RESETHAND"]), "Debian's puts the handler back as it was"
CODE

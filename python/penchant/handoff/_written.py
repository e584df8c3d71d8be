# SPDX-License-Identifier: Apache-2.0
"""The rows as a store gets them: columns of zeros behind them for its quantiser, and where it has no inner product the column that
gives its own order that of the inner product.

For items x with the largest norm M and queries q (Bachrach et al. 2014, "Speeding up the Xbox recommender system using a Euclidean
transformation for inner-product spaces", section 3.2):
    x' = [x, sqrt(M^2 - |x|^2)]    q' = [q, 0]    |q' - x'|^2 = |q|^2 + M^2 - 2 q.x    cos(q', x') = q.x / (|q| M)
so that for one query L2 and cosine both rank x' as q.x ranks x. Norms and the column are computed in double.
"""
import numpy

from .. import _core

MAX_FLOAT16 = 65504.0


class Written:
    """Blocks of [b x width] in `dtype`, C order, of the rows of a Given.

    multiple: width is the next multiple of it. added: None, "l2" (x' above) or "unit" (x' / M, for stores of cosine that keep
    unit vectors). dtype: float32 or float16, which must hold all numbers. most: M squared of a store that has rows already, which these
    must not exceed.
    """

    def __init__(self, given, *, multiple=1, added=None, dtype="float32", most=None):
        self.given, self.dtype = given, numpy.dtype(dtype)
        self.dimension = given.vectors.shape[1]
        self.added = 0 if added is None else 1
        self.padded = -(self.dimension + self.added) % multiple
        self.width = self.dimension + self.added + self.padded
        self._divisor, self._squares, self._most = 1.0, None, 0.0
        if added is not None:
            self._squares = numpy.einsum("ij,ij->i", given.vectors, given.vectors, dtype=numpy.float64)
            self._most = float(self._squares.max())
            if most is not None:
                if self._most > most * (1 + 1e-6):
                    longest = given.name(int(numpy.argmax(self._squares)))
                    raise _core.InputError(f"the vector of {longest} is longer than all that the store has, to whose longest every row's "
                                           "added column is fitted; hand all rows off anew")
                self._squares = numpy.minimum(self._squares, most)
                self._most = most
            if added == "unit" and self._most > 0:
                self._divisor = self._most ** 0.5
        if self.dtype == numpy.float16:
            too_large = (numpy.abs(given.vectors) > MAX_FLOAT16).any(axis=1)
            if too_large.any():
                raise _core.InputError(f"the vector of {given.name(int(numpy.argmax(too_large)))} has a number above {MAX_FLOAT16:.0f}, "
                                       "the largest of float16; hand off float32")

    def __len__(self):
        return len(self.given.ids)

    def block(self, start, stop):
        rows = self.given.vectors[start:stop]
        block = numpy.zeros((len(rows), self.width), self.dtype)
        block[:, :self.dimension] = rows if self._divisor == 1.0 else rows / self._divisor
        if self.added:
            block[:, self.dimension] = numpy.sqrt(self._most - self._squares[start:stop]) / self._divisor
        return block

    def blocks(self, size=65536):
        """(first row, ids, block) of at most `size` rows each."""
        for start in range(0, len(self), size):
            yield start, self.given.ids[start:start + size], self.block(start, start + size)


def queries(vectors, width):
    """[B x width] float32 of queries as a store of that width wants them: columns of zeros behind them, which change no score.

    >>> import numpy
    >>> queries(numpy.array([[1.0, 2.0]]), 4)
    array([[1., 2., 0., 0.]], dtype=float32)
    """
    vectors = numpy.atleast_2d(numpy.asarray(vectors, numpy.float32))
    if vectors.ndim != 2 or vectors.shape[1] > width:
        raise _core.InputError(f"queries are of shape {vectors.shape}, expected [rows x columns] with at most {width} columns")
    block = numpy.zeros((len(vectors), width), numpy.float32)
    block[:, :vectors.shape[1]] = vectors
    return block


def texts(block):
    """Each row as "[1.5,0.25]", the shortest text that is the same float32."""
    import pyarrow

    numbers = pyarrow.array(block.astype(numpy.float32, copy=False).ravel()).cast(pyarrow.string()).to_pylist()
    width = block.shape[1]
    return ["[" + ",".join(numbers[start:start + width]) + "]" for start in range(0, len(numbers), width)]

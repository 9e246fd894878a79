"""How surely a term belongs to an equation: what the regression chooses on resampled data.

Blocks of samples are drawn with replacement, as neighbours resemble each other; on each draw the candidates
that the whole data suggest are weighed anew. The columns of the regression are those of the whole data.

Source: N. Meinshausen and P. Buehlmann, "Stability selection", J. Royal Statistical Society B 72 (2010);
blocks: H. R. Kuensch, "The jackknife and the bootstrap for general stationary observations", Annals of
Statistics 17 (1989).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import PCG64, Generator

from physix.engine.floats import FloatArray
from physix.policies.search.design import Design
from physix.policies.search.selection import Chosen, Structure, badness, price

_DRAWS = 40
_BLOCKS = 24  # that the samples are cut into, at most
_LEAST_BLOCK = 4
_CANDIDATES = 60  # structures weighed on each draw
_SEED = 20_260_101


def inclusion(
    design: Design, structures: Sequence[Structure], library_size: int
) -> list[tuple[Chosen, float]]:
    """Return how often the best structure on resampled data holds a term, the surest first.

    Args:
        design: the equation's regression.
        structures: what may be chosen, with inner constants as they fit the whole data.
        library_size: how many terms there were to choose from.
    """
    candidates = list(structures[:_CANDIDATES])
    members: dict[str, Chosen] = {}
    columns: list[FloatArray] = []
    for structure in candidates:
        for one in structure.chosen:
            if one.term.text not in members:
                column = design.column(one.term, one.inner)
                if column is None:
                    continue
                members[one.term.text] = one
                columns.append(column)
    where = {name: i for i, name in enumerate(members)}
    subsets = [
        [where[one.term.text] for one in s.chosen]
        for s in candidates
        if all(o.term.text in where for o in s.chosen)
    ]
    prices = [price(one.term, design.samples, library_size) for one in members.values()]
    costs = [sum(prices[i] for i in subset) for subset in subsets]
    if not subsets:
        return []
    matrix = np.column_stack([*columns, design.left])
    sizes = np.linalg.norm(matrix, axis=0)
    matrix = matrix / np.where(sizes > 0.0, sizes, 1.0)
    counts = np.zeros(len(members))
    random = Generator(PCG64(_SEED))
    blocks = np.array_split(np.arange(len(matrix)), max(1, min(_BLOCKS, len(matrix) // _LEAST_BLOCK)))
    grams = np.stack([matrix[block].T @ matrix[block] for block in blocks])
    for _ in range(_DRAWS):
        drawn = random.integers(len(blocks), size=len(blocks))
        gram = grams[drawn].sum(axis=0)
        scores = [
            badness(_left(gram, subset) * float(sizes[-1]) ** 2, design.samples, design.floor) + cost
            for subset, cost in zip(subsets, costs, strict=True)
        ]
        counts[subsets[int(np.argmin(scores))]] += 1.0
    shares = (counts / _DRAWS).tolist()
    found = [(one, share) for one, share in zip(members.values(), shares, strict=True) if share > 0.0]
    return sorted(found, key=lambda pair: -pair[1])


def _left(gram: FloatArray, subset: Sequence[int]) -> float:
    """Return chi² of the best coefficients of some columns; the last column is what is to be explained."""
    inner = gram[np.ix_(subset, subset)] + 1e-12 * np.trace(gram) / len(gram) * np.eye(len(subset))
    moment = gram[subset, -1]
    return max(0.0, float(gram[-1, -1] - moment @ np.linalg.solve(inner, moment)))

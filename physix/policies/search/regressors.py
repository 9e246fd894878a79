"""`sindy` and `operon`: other people's equation finders, for comparison (extras of the same names).

Both fit rates of change to the shown data and propose one law a turn: `sindy` walks a grid of
sparsity thresholds, `operon` a list of seeds. They see the observation alone, and order their
laws by the match that the public verifier gives them on the shown data.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import product

import numpy as np
from anyio import to_thread

from physix.engine.events import Provenance
from physix.engine.floats import FloatArray
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.engine.systems.derivatives import smoothed_rate
from physix.engine.systems.targets import targets
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.errors import PolicyError
from physix.policies.chat.laws import tidy

Finder = Callable[[Task], list[str]]
_THRESHOLDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MODELS = 20  # of PySINDy's own bagging
_MOST_CUBED = 3  # variables with products of three
_SEED = 1
_OPERON_SEEDS = (1, 2, 3)


def find_with_sindy(task: Task) -> list[str]:
    """Return the laws that PySINDy finds: a grid of thresholds, two derivatives, alone and bagged."""
    import pysindy as ps

    names = [variable.name for variable in task.variables]
    angles = [i for i, v in enumerate(task.variables) if v.unit in ("rad", None) and v.rate_of is None]
    states = [np.array(trajectory.states) for trajectory in task.shown]
    times = [np.array(trajectory.t) for trajectory in task.shown]
    laws = []
    for differentiation in (ps.FiniteDifference, ps.SmoothedFiniteDifference):
        for threshold, bagged in product(_THRESHOLDS, (False, True)):
            library = ps.PolynomialLibrary(degree=3 if len(names) <= _MOST_CUBED else 2)
            if angles:
                library = ps.GeneralizedLibrary(
                    [library, ps.FourierLibrary(n_frequencies=1)],
                    inputs_per_library=[list(range(len(names))), angles],
                )
            optimizer = ps.STLSQ(threshold=threshold)
            if bagged:
                np.random.seed(_SEED)  # PySINDy draws its bags from NumPy's global generator
                optimizer = ps.EnsembleOptimizer(opt=optimizer, bagging=True, n_models=_MODELS)
            model = ps.SINDy(
                optimizer=optimizer,
                feature_library=library,
                differentiation_method=differentiation(),
            )
            model.fit(states, t=times, feature_names=names)
            features = [_feature(name) for name in model.get_feature_names()]
            found = dict(zip(names, model.coefficients().tolist(), strict=True))
            laws.append(
                "; ".join(_linear(t.left, features, found[t.driven]) for t in targets(task.variables))
            )
    return laws


def find_with_sindy_as_it_comes(task: Task) -> list[str]:
    """Return the one law that `pysindy.SINDy()` finds: second degree, threshold 0.1, finite differences."""
    import pysindy as ps

    names = [variable.name for variable in task.variables]
    model = ps.SINDy()
    model.fit(
        [np.array(trajectory.states) for trajectory in task.shown],
        t=[np.array(trajectory.t) for trajectory in task.shown],
        feature_names=names,
    )
    features = [_feature(name) for name in model.get_feature_names()]
    found = dict(zip(names, model.coefficients().tolist(), strict=True))
    return ["; ".join(_linear(t.left, features, found[t.driven]) for t in targets(task.variables))]


def _feature(name: str) -> str:
    """Return PySINDy's `theta^2`, `x vy` or `sin(1 theta)` in the verifier's grammar."""
    name = re.sub(r"\((\d+) ", r"(\1*", name).replace("(1*", "(")
    return name.replace("^", "**").replace(" ", "*")


def _linear(left: str, features: Sequence[str], coefficients: Sequence[float]) -> str:
    terms = [f"({c:.8g})*{f}" for f, c in zip(features, coefficients, strict=True) if c]
    return f"{left} = {' + '.join(terms) or '0'}"


def find_with_operon(task: Task) -> list[str]:
    """Return the laws that Operon's genetic programming finds for smoothed rates, one a seed."""
    from pyoperon.sklearn import SymbolicRegressor

    names = [variable.name for variable in task.variables]
    inputs = np.concatenate([np.asarray(trajectory.states) for trajectory in task.shown])
    symbols = "add,sub,mul,div,constant,variable"
    if any(variable.unit in ("rad", None) for variable in task.variables):
        symbols += ",sin,cos"
    laws = []
    for seed in _OPERON_SEEDS:
        sides = []
        for target in targets(task.variables):
            rates = _rates(task, names.index(target.driven))
            regressor = SymbolicRegressor(
                allowed_symbols=symbols,
                max_length=20,
                population_size=500,
                generations=100,
                max_evaluations=200_000,
                n_threads=1,
                random_state=seed,
            )
            regressor.fit(inputs, rates)
            sides.append(f"{target.left} = {regressor.get_model_string(regressor.model_, 6, names)}")
        laws.append(tidy("; ".join(sides), task.variables))
    return laws


def _rates(task: Task, column: int) -> FloatArray:
    return np.concatenate(
        [
            smoothed_rate(np.asarray(trajectory.t), np.asarray(trajectory.states)[:, column])
            for trajectory in task.shown
        ]
    )


class RegressorPolicy:
    """Implements `Policy` over a finder: its best untried law each turn."""

    def __init__(self, name: str, package: str, extra: str, find: Finder) -> None:
        self.name = name
        self._package, self._extra = package, extra
        self._find = find
        self._task: Task | None = None
        self._laws: list[str] = []

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        if find_spec(self._package) is None:
            raise PolicyError(f"Install it: pip install 'physix-live[{self._extra}]'.")
        began = time.perf_counter()
        law = await to_thread.run_sync(self._next, observation)
        return Proposal(
            hypothesis=Hypothesis(equation=law),
            provenance=Provenance(policy=self.name, latency_s=round(time.perf_counter() - began, 4)),
        )

    def _next(self, observation: Observation) -> str:
        if self._task != observation.task:
            self._laws, self._task = self._ranked(observation.task), observation.task
        tried = {turn.equation for turn in observation.history}
        untried = [law for law in self._laws if law not in tried]
        if not self._laws:
            raise PolicyError(f"{self.name} found no law in these data.")
        return (untried or self._laws)[0]

    def _ranked(self, task: Task) -> list[str]:
        """Return the different laws, the best match first; the verifier is public, so asking it is fair."""
        blind = Truth(equation=None, params={}, hidden=())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PySINDy says so when a fit is empty; its match says it too
            laws = list(dict.fromkeys(self._find(task)))

        def worth(law: str) -> float:
            hypothesis = Hypothesis(equation=law)
            return -verify(task, blind, hypothesis, best_match=0.0, config=VerifierConfig()).reward.total

        return sorted(laws, key=worth)


def make_sindy() -> RegressorPolicy:
    """Return the policy `sindy`."""
    return RegressorPolicy("sindy", "pysindy", "sindy", find_with_sindy)


def make_sindy_as_it_comes() -> RegressorPolicy:
    """Return the policy `sindy-defaults`."""
    return RegressorPolicy("sindy-defaults", "pysindy", "sindy", find_with_sindy_as_it_comes)


def make_operon() -> RegressorPolicy:
    """Return the policy `operon`."""
    return RegressorPolicy("operon", "pyoperon", "operon", find_with_operon)

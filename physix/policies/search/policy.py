"""`search`: structure search over laws of motion. No model, no network.

It reads the observation alone. Structures come from sparse regression of integrals along the data,
constants from a refit on the simulated motion, and the choice from an information criterion with a prior
over the library. Turn 1 is the plainest linear law, unless that would end the episode; turn 2 the law that
explains most. Later turns try what the verifier found lacking and plainer rivals, until nothing is better.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from anyio import to_thread

from physix.engine.discovery import Discovery
from physix.engine.events import Provenance
from physix.engine.ports import Observation, PastTurn, Proposal, TokenSink
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.engine.verifier.verify import explains
from physix.engine.verifier.words import explain
from physix.errors import PolicyError
from physix.policies.search.climb import Climb, Search
from physix.policies.search.discover import discovery_of, doubt_of, written
from physix.policies.search.laws import Written
from physix.policies.search.refit import Fitted, leaves_noise

_EQUAL = 2.0  # standard deviations of chi² by which a simpler law may be worse and as good
_UNDECIDED = 6.0  # how much worse a law of as many terms may score and still be worth a turn


class SearchPolicy:
    """Implements `Policy`; keeps its computations for one task, and needs none of them to resume."""

    name = "search"

    def __init__(self) -> None:
        self._task: Task | None = None
        self._search: Search | None = None
        self._found = Climb((), None, 0)
        self._taken = 0  # turns whose findings were tried

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        began = time.perf_counter()
        hypothesis, discovery = await to_thread.run_sync(self._told, observation)
        provenance = Provenance(policy=self.name, latency_s=round(time.perf_counter() - began, 4))
        return Proposal(hypothesis=hypothesis, provenance=provenance, discovery=discovery)

    def _told(self, observation: Observation) -> tuple[Hypothesis, Discovery | None]:
        """Return the next law, and what was found where that is new."""
        known = self._found.laws
        self._look(observation)
        hypothesis = self._next(observation)
        if self._found.laws == known:
            return hypothesis, None
        return hypothesis, discovery_of(observation.task, self._found, observation.functions)

    def _look(self, observation: Observation) -> None:
        """Search the data, once, and then whatever the verifier found in the turns since."""
        if self._task is not observation.task and self._task != observation.task:
            self._task, self._taken = observation.task, 0
            self._search = Search(observation.task, observation.functions)
            self._found = self._search.run()
        for past in observation.history[self._taken :]:
            law = _proposed(observation, self._found.laws, past)
            if law is not None and past.findings is not None and self._search is not None:
                self._found = self._search.take(law, past.findings.findings)
        self._taken = len(observation.history)

    def _next(self, observation: Observation) -> Hypothesis:
        laws = self._found.laws
        if not laws:
            raise PolicyError("No candidate law could be simulated on these data.")
        plain = self._found.plainest
        why = doubt_of(observation.task, self._found, observation.functions)
        if why is not None:
            return self._withheld(observation, why)
        if not observation.history and plain is not None and plain.key != laws[0].key:
            first = _hypothesis(observation, plain)
            if first is not None and not _passes(observation, first):
                return replace(first, rationale="Begin with the plainest linear law the data allow.")
        return self._best_untried(observation)

    def _withheld(self, observation: Observation, why: str) -> Hypothesis:
        """Return a plain law that does not explain the data, where the one that does is not claimed."""
        plainest = () if self._found.plainest is None else (self._found.plainest,)
        for law in (*plainest, *sorted(self._found.laws, key=lambda law: law.terms)):
            told = written(observation.task, law, observation.functions)
            if told is not None and not explains(observation.task, told.parsed):
                plain = _plain(told)
                return replace(plain, rationale=f"A plainer law than the one that explains these data. {why}")
        return replace(self._best_untried(observation), rationale=why)

    def _best_untried(self, observation: Observation) -> Hypothesis:
        """Return the best law if it is new, else one as good and no longer; when there is none, the best."""
        laws = self._found.laws
        tried = {_key(past.equation, past.params) for past in observation.history}
        forms = {past.equation: past.params for past in observation.history}
        for law in () if _fits(observation) else laws:
            hypothesis = _hypothesis(observation, law)
            if hypothesis is None or _key(hypothesis.equation, hypothesis.params) in tried:
                continue
            # A law that does not explain the data is not proposed until it passes by a hair.
            again = hypothesis.equation in forms and not leaves_noise(law)
            if not again and (law is laws[0] or _is_as_good(law, laws[0])):
                return replace(hypothesis, rationale=_rationale(law, laws[0], observation))
        best = next(filter(None, (_hypothesis(observation, law) for law in laws)), None)
        if best is None:
            raise PolicyError("No candidate law could be written in the grammar.")
        return replace(
            best,
            params=forms.get(best.equation, best.params),
            rationale="Nothing better: no law that was tried explains more, or as much with less.",
        )


def _fits(observation: Observation) -> bool:
    """Tell whether a law that was proposed explains measured data, and the episode went on all the same.

    What is shown says no more, then. To try its rivals on what is held back until one passes would be
    a draw of lots: the data alone decide there, and a law that they pick from many has not been confirmed.
    """
    found = (past.findings for past in observation.history)
    return observation.task.measured and any(one is not None and one.within_noise for one in found)


def _is_as_good(law: Fitted, best: Fitted) -> bool:
    """Tell whether a law is as good as the best: simpler at equal chi², or not to be told from it."""
    equal = law.reduced <= best.reduced * (1.0 + _EQUAL * float(np.sqrt(2.0 / max(1, law.samples))))
    if leaves_noise(law) != leaves_noise(best):
        return False
    return (law.terms < best.terms and equal) or (
        law.terms == best.terms and law.score <= best.score + _UNDECIDED
    )


def _proposed(observation: Observation, laws: Sequence[Fitted], past: PastTurn) -> Fitted | None:
    """Return the law that a turn proposed, if it is one of these."""
    for law in laws:
        hypothesis = _hypothesis(observation, law)
        if hypothesis is not None and hypothesis.equation == past.equation:
            return law
    return None


def _hypothesis(observation: Observation, law: Fitted) -> Hypothesis | None:
    told = written(observation.task, law, observation.functions)
    return None if told is None else _plain(told)


def _plain(told: Written) -> Hypothesis:
    return Hypothesis(equation=told.parsed.canonical, params=told.parsed.params)


def _passes(observation: Observation, hypothesis: Hypothesis) -> bool:
    """Tell whether a law would pass on what is shown, and so may end the episode.

    The verifier is public, so asking it is fair.
    """
    blind = Truth(equation=None, params={}, hidden=())
    config = VerifierConfig(functions=observation.functions, solved_threshold=observation.solved_threshold)
    match = verify(observation.task, blind, hypothesis, best_match=0.0, config=config).reward.match
    return match > observation.solved_threshold


def _key(equation: str, params: Mapping[str, float | None]) -> str:
    return f"{equation} | {sorted(params.items())}"


def _rationale(law: Fitted, best: Fitted, observation: Observation) -> str:
    terms = f"{law.terms} term{'s' if law.terms > 1 else ''}"
    worth = (
        "what is left over is what the noise makes"
        if leaves_noise(law)
        else f"what is left over is {np.sqrt(law.reduced):.3g} times the noise"
    )
    if law is not best:
        return f"A rival of {terms} that the data hardly tell from the best law: {worth}."
    if not observation.history:
        return (
            f"The law that explains most with least, of {terms}: {worth}. A plainer one would pass as well."
        )
    found = observation.history[-1].findings
    told = f"{explain(found.findings[0]).rstrip('.')}; of" if found and found.findings else "Of"
    return f"{told} all laws tried this one of {terms} explains most with least: {worth}."

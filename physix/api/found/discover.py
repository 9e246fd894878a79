"""`physix.discover` and `physix.fit`: no server, no model, one episode in a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from physix.api.found.result import Found, Result
from physix.api.found.running import run_anywhere
from physix.api.found.source import Data, Inputs, Options, Sigma, task_of
from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.answer import Answer, answer
from physix.engine.examine import Examined, examine
from physix.engine.systems.measured import MeasuredTask
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.types import FunctionSet, Hypothesis, Rejection, VerifierConfig
from physix.errors import BadInputError, PolicyError
from physix.limits import DEFAULT_TURNS, PERSON
from physix.policies import DEFAULT_POLICY, open_policy
from physix.policies.chat.own_law import constants_in, slips, understood
from physix.store import open_log

MEMORY = "memory://"
RULES = VerifierConfig(profile="strict", functions="extended", constants="fitted")
Tell = Callable[[Episode], None]


def discover(
    data: Data,
    *,
    hint: str = "",
    time: str | None = None,
    inputs: Inputs = (),
    runs: str | None = None,
    sigma: Sigma | None = None,
    units: Mapping[str, str] | None = None,
    first_order: Sequence[str] = (),
    second_order: Sequence[str] = (),
    rate: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    names: Sequence[str] = (),
    noise: float | None = None,
    hold_back: float | None = None,
    held_back: Data | None = None,
    policy: str = DEFAULT_POLICY,
    max_turns: int = DEFAULT_TURNS,
    log: str = MEMORY,
) -> Found:
    """Search for the law of motion behind some data, and judge it on a part that the search never saw.

    Args:
        data: a path, the text or bytes of a file, a dict of arrays, a pandas or polars frame, an array
            (T, 1 + D) with the time first, `(t, states)`, or a list of these, one a run.
        hint: what an onlooker would say; language models read it.
        time, inputs, runs, ignore: columns by name or label: the time, what drives the motion, what tells
            runs apart, what counts for nothing. Inputs may also come with their values: `{"u": u}`.
        sigma: standard deviations: `{"errU": "U"}` names a column; `{"U": 0.02}` is a number, or one a
            sample; 0.02 alone is that of every state.
        units: `{"x": "cm"}`; replaces what the file says.
        first_order, second_order: states written dx/dt, or d2x/dt2 without a measured velocity.
        rate: which column is the rate of which, `{"v": "x"}`.
        names: of the states in an array.
        noise: share of each variable's spread; None: from `sigma`, else estimated.
        hold_back: share of the rows, or runs, that only the verdict sees; None: a quarter from 40 rows on.
        held_back: other data with the same columns, kept likewise.
        policy: who proposes; `search` needs no model.
        max_turns: proposals at most.
        log: where the episode is recorded, so that the page can open it; `memory://` keeps it in the result
            (`Result.save`).

    Raises:
        CsvError: the data hold no motion; all problems in one message.
        BadInputError: a file cannot be read, or an argument is out of range.
        PolicyError: the policy gave up.
    """
    options = Options(
        time=time,
        inputs=inputs,
        runs=runs,
        sigma={} if sigma is None else sigma,
        units=units or {},
        first_order=first_order,
        second_order=second_order,
        rate=rate or {},
        ignore=ignore,
        names=names,
        hint=hint,
        noise=noise,
        hold_back=hold_back,
        held_back=held_back,
    )
    return discover_in(task_of(data, options), policy=policy, max_turns=max_turns, log=log)


def discover_in(
    made: MeasuredTask,
    *,
    policy: str = DEFAULT_POLICY,
    max_turns: int = DEFAULT_TURNS,
    log: str = MEMORY,
    tell: Tell = lambda _episode: None,
) -> Found:
    """Return what a policy finds in a task; `tell` hears of every turn.

    Raises:
        BadInputError, PolicyError: as `discover`.
    """

    async def play() -> Found:
        async with open_log(log) as opened:
            engine = EpisodeEngine(opened)
            player = await open_policy(policy, opened, allow_files=True)
            episode = await engine.start(
                made.task,
                made.truth,
                config=EpisodeConfig(verifier=RULES, max_turns=max_turns),
                policy=player.name,
                door="cli",
            )
            while episode.finished is None:
                episode = await engine.play_turn(episode.episode_id, player)
                tell(episode)
            events = await opened.read(episode.episode_id)
        failures = [one.event.reason for one in events if one.event.type == "PolicyFailed"]
        came_to = answer(episode)
        if came_to is None:
            raise PolicyError(f"{policy} found nothing: {' '.join(dict.fromkeys(failures))}")
        return Found(
            task=made.task,
            truth=made.truth,
            notes=made.problems,
            examined=examined(episode, came_to),
            episode_id=episode.episode_id,
            events=events,
            discovery=episode.discovery,
        )

    return run_anywhere(play)


def examined(episode: Episode, came_to: Answer) -> Examined:
    """Return the law that an episode came to, held against its data."""
    rules, truth = episode.config.verifier, episode.started.truth
    if came_to.constants:
        known = {one.name: one for one in came_to.constants}
        return examine(episode.task, truth, came_to.law, rules, known)
    # Constants of a model have no errors of their own: they are determined anew.
    law = replace(came_to.law, params=dict.fromkeys(came_to.law.params))
    return examine(episode.task, truth, law, rules)


def fit(
    data: Data,
    law: str,
    *,
    params: Mapping[str, float | None] | None = None,
    hint: str = "",
    time: str | None = None,
    inputs: Inputs = (),
    runs: str | None = None,
    sigma: Sigma | None = None,
    units: Mapping[str, str] | None = None,
    first_order: Sequence[str] = (),
    second_order: Sequence[str] = (),
    rate: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    names: Sequence[str] = (),
    noise: float | None = None,
    hold_back: float | None = None,
    held_back: Data | None = None,
    log: str = MEMORY,
) -> Result:
    """Determine the constants of a law of your own, and judge it as any other.

    Args:
        data: and what follows as in `discover`.
        law: in any common notation, `"theta'' = -a*sin(theta) - b*theta'"`, equations separated by `;`. Names
            that are no column are constants, and are fitted.
        params: constants whose values are known, `{"m": 0.5}`.

    Raises:
        CsvError, BadInputError: as `discover`; or the law cannot be read.
    """
    options = Options(
        time=time,
        inputs=inputs,
        runs=runs,
        sigma={} if sigma is None else sigma,
        units=units or {},
        first_order=first_order,
        second_order=second_order,
        rate=rate or {},
        ignore=ignore,
        names=names,
        hint=hint,
        noise=noise,
        hold_back=hold_back,
        held_back=held_back,
    )
    return fit_in(task_of(data, options), law, params=params, log=log)


def fit_in(
    made: MeasuredTask, law: str, *, params: Mapping[str, float | None] | None = None, log: str = MEMORY
) -> Result:
    """Return what a task's data say of a law.

    Raises:
        BadInputError: as `fit`.
    """
    hypothesis = own_law(made, law, params or {})

    async def play() -> Result:
        async with open_log(log) as opened:
            engine = EpisodeEngine(opened)
            started = await engine.start(
                made.task,
                made.truth,
                config=EpisodeConfig(verifier=RULES, max_turns=1),
                policy=PERSON,
                door="cli",
            )
            episode = await engine.submit(
                started.episode_id, hypothesis, provenance=Provenance(policy=PERSON)
            )
            events = await opened.read(episode.episode_id)
        return Result(
            task=made.task,
            truth=made.truth,
            notes=made.problems,
            examined=examine(made.task, made.truth, hypothesis, RULES),
            episode_id=episode.episode_id,
            events=events,
        )

    return run_anywhere(play)


def own_law(
    made: MeasuredTask,
    law: str,
    params: Mapping[str, float | None],
    functions: FunctionSet = "extended",
) -> Hypothesis:
    """Return a law as a hypothesis whose unknown constants are left open.

    Raises:
        BadInputError: it cannot be read; the message says where, and what may have been meant.
    """
    task = made.task
    equation = understood(law, task, params)
    names = constants_in(equation, task)
    if unknown := [name for name in params if name not in names]:
        raise BadInputError(f"The law has no constant {unknown[0]!r}; it has {', '.join(names) or 'none'}.")
    open_names = {name: params.get(name) for name in names}
    parsed = parse(
        equation,
        open_names,
        task.variables,
        inputs=task.inputs,
        functions=functions,
        fit_nulls=True,
    )
    if isinstance(parsed, Rejection):
        meant = slips(equation, task, functions)
        said = "".join(f" Did {name!r} mean {near!r}?" for name, near in meant.items())
        columns = ", ".join([*(v.name for v in task.variables), *(one.name for one in task.inputs)])
        why = parsed.message.rstrip(".")
        raise BadInputError(f"The law cannot be read: {why}.{said} The data have {columns}.")
    return Hypothesis(equation=equation, params=open_names)

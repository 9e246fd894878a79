"""Names, prompts, replies, codec and search."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a name from the network reads a script",
        "physix/policies/registry.py",
        'if allow_files and kind == "scripted" and rest:',
        'if kind == "scripted" and rest:',
        ("tests/policies/test_registry.py",),
    ),
    Mutant(
        "a name from the network loads any checkpoint",
        "physix/policies/registry.py",
        "if not allow_files and model not in _allowed_checkpoints(settings):",
        "if False:",
        ("tests/policies/test_registry.py",),
    ),
    Mutant(
        "a replay gives its turns in the wrong place",
        "physix/policies/replay.py",
        "self._turns[observation.turn - 1]",
        "self._turns[-observation.turn]",
        ("tests/policies/test_registry.py",),
    ),
    Mutant(
        "a script goes on after its end",
        "physix/policies/scripted.py",
        "if observation.turn > len(self._hypotheses):",
        "if observation.turn > len(self._hypotheses) + 9:",
        ("tests/policies/search/test_policy.py::test_a_script_is_played_and_then_over",),
    ),
    Mutant(
        "of several objects in a reply the first counts",
        "physix/policies/chat/reply.py",
        "for found in reversed(_found(text)):",
        "for found in _found(text):",
        ("tests/policies/chat/test_prompt.py::test_a_reply_means_what_its_writer_meant",),
    ),
    Mutant(
        "a thought that never ends is an answer",
        "physix/policies/chat/reply.py",
        "    if thinking_from is not None:\n",
        "    if False:\n",
        ("tests/policies/chat/test_prompt.py::test_a_reply_means_what_its_writer_meant",),
    ),
    Mutant(
        "a constant beside the equation is not seen",
        "physix/policies/chat/reply.py",
        "beside = _assignments(around) | beside",
        "beside = dict(beside)",
        ("tests/policies/chat/test_reply.py::test_a_reply_means_what_its_writer_meant_or_is_refused",),
    ),
    Mutant(
        "a name that no param declares is lost where constants are fitted",
        "physix/policies/chat/reply.py",
        "        if self.fitted:\n            params |=",
        "        if False:\n            params |=",
        (
            "tests/policies/chat/test_prompt.py::test_where_constants_are_fitted_an_undeclared_name_is_left_open",
        ),
    ),
    Mutant(
        "a prompt exceeds its budget",
        "physix/policies/chat/prompt.py",
        (
            "    for rows, turns in plans:\n"
            "        prompt = _render(observation, rows, turns)\n"
            "        if prompt.estimated_tokens <= budget_tokens:"
        ),
        (
            "    for rows, turns in plans:\n"
            "        prompt = _render(observation, rows, turns)\n"
            "        if prompt.estimated_tokens <= 2 * budget_tokens:"
        ),
        ("tests/policies/chat/test_prompt.py::test_a_prompt_stays_within_its_budget",),
    ),
    Mutant(
        "the best turn is dropped from a tight prompt",
        "physix/policies/chat/prompt.py",
        "if turn is not best][:count]",
        "][:count]",
        (
            "tests/policies/chat/test_prompt.py::test_a_tight_budget_drops_rows_then_the_oldest_turns_but_not_the_best",
        ),
    ),
    Mutant(
        "a second attempt draws the seed of the first",
        "physix/policies/chat/policy.py",
        "self._attempt = self._attempt + 1 if observation.turn == self._turn else 1",
        "self._attempt = 1",
        (
            "tests/policies/chat/test_served_models.py::test_a_reply_without_a_hypothesis_is_kept_and_the_next_attempt_is_drawn_anew",
        ),
    ),
    Mutant(
        "thoughts are not marked in a reply",
        "physix/policies/chat/policy.py",
        "added = mark + chunk.text",
        "added = chunk.text",
        ("tests/policies/chat/test_served_models.py::test_thinking_is_kept_apart_from_the_answer",),
    ),
    Mutant(
        "the codec scales damping like stiffness",
        "physix/policies/nano/codec.py",
        "* time ** (2 - j)",
        "* time**2",
        ("tests/policies/nano/test_codec.py",),
    ),
    Mutant(
        "the codec writes two digits",
        "physix/policies/nano/codec.py",
        "exponent = math.floor(math.log10(value)) - 2",
        "exponent = math.floor(math.log10(value)) - 1",
        ("tests/policies/nano/test_codec.py",),
    ),
    Mutant(
        "the codec loses the sign of a term",
        "physix/policies/nano/codec.py",
        'sign = "-" if scaled < 0 else "+"',
        'sign = "+"',
        ("tests/policies/nano/test_codec.py",),
    ),
    Mutant(
        "search proposes what it has tried",
        "physix/policies/search/policy.py",
        "or _key(hypothesis.equation, hypothesis.params) in tried:",
        "or tried is None:",
        (
            "tests/policies/search/test_policy.py::test_no_law_is_proposed_twice_before_it_is_said_that_none_is_left",
        ),
    ),
    Mutant(
        "a model's server that failed is asked again at once",
        "physix/policies/chat/pool.py",
        "endpoint.rests_until = self._clock() + rest",
        "endpoint.rests_until = self._clock()",
        ("tests/policies/chat/test_pool.py",),
    ),
    Mutant(
        "a model's server gets more requests than it may",
        "physix/policies/chat/pool.py",
        "if one.in_flight < self._most]",
        "if one.in_flight <= self._most]",
        ("tests/policies/chat/test_pool.py",),
    ),
)

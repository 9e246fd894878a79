"""Who may do what, what is told, streams, OpenEnv and quotas."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "what a dead judge owed is forgotten",
        "physix/api/judges.py",
        "        if self.asked:\n            self.start()\n",
        "        self.asked.clear()\n",
        ("tests/api/test_judges.py::test_a_process_that_dies_over_half_an_answer_is_asked_again",),
    ),
    Mutant(
        "a judge that dies once has given up its hypothesis",
        "physix/api/judges.py",
        "            if self.asked[0].tries >= TRIES:",
        "            if self.asked[0].tries:",
        ("tests/api/test_judges.py::test_a_process_that_dies_over_half_an_answer_is_asked_again",),
    ),
    Mutant(
        "no token is needed where one is set",
        "physix/api/middleware.py",
        "return operator or self._token is None or _equal(given, self._token)",
        "return True",
        ("tests/api/test_guard.py",),
    ),
    Mutant(
        "another site acts with a remembered password",
        "physix/api/middleware.py",
        'given = _password(given) if _same_site(scope) else ""',
        "given = _password(given)",
        ("tests/api/test_app.py::test_another_site_cannot_act_with_a_remembered_password",),
    ),
    Mutant(
        "a body without a length has no bound",
        "physix/api/middleware.py",
        "            if seen > limit:\n",
        "            if False:\n",
        ("tests/api/test_guard.py",),
    ),
    Mutant(
        "a body with a length has no bound",
        "physix/api/middleware.py",
        "if length.isdigit() and int(length) > limit:",
        "if False:",
        ("tests/api/test_guard.py",),
    ),
    Mutant(
        "scripts inside the page are allowed",
        "physix/api/middleware.py",
        "script-src 'self';",
        "script-src 'self' 'unsafe-inline';",
        ("tests/api/test_headers.py",),
    ),
    Mutant(
        "answers may be sniffed for their type",
        "physix/api/middleware.py",
        '"X-Content-Type-Options": "nosniff",',
        "",
        ("tests/api/test_headers.py",),
    ),
    Mutant(
        "a conflict is a failure of the server",
        "physix/api/problems.py",
        "(ConflictError, 409)",
        "(ConflictError, 500)",
        ("tests/api/test_app.py::test_a_repeated_key_plays_one_turn",),
    ),
    Mutant(
        "the page's folder can be left",
        "physix/api/page.py",
        "if path and wanted.is_relative_to(STATIC) and wanted.is_file():",
        "if path and wanted.is_file():",
        ("tests/api/test_app.py::test_every_address_of_the_page_is_the_page",),
    ),
    Mutant(
        "a stream sends its last event again",
        "physix/api/live/streams.py",
        (
            "if recorded.version > after and (frame := await reader.frame(recorded,"
            " recorded.version)):\n"
            "                yield frame\n"
            "        if finished:"
        ),
        (
            "if recorded.version >= after and (frame := await reader.frame(recorded,"
            " recorded.version)):\n"
            "                yield frame\n"
            "        if finished:"
        ),
        ("tests/api/test_app.py::test_a_stream_resumes_after_the_last_id_seen",),
    ),
    Mutant(
        "a reconnecting browser starts anew",
        "physix/api/live/streams.py",
        "return int(last_event_id)",
        "return after or 0",
        ("tests/api/test_app.py::test_a_stream_resumes_after_the_last_id_seen",),
    ),
    Mutant(
        "a resumed comparison repeats its past",
        "physix/api/live/streams.py",
        (
            "            if recorded.position > after and (frame := await reader.frame(recorded,"
            " recorded.position)):\n"
            "                yield frame\n"
            "        if playing:"
        ),
        (
            "            if (frame := await reader.frame(recorded, recorded.position)):\n"
            "                yield frame\n"
            "        if playing:"
        ),
        (
            "tests/api/live/test_streams.py::test_a_comparison_is_resumed_after_any_id_while_it_runs_and_when_it_is_over",
        ),
    ),
    Mutant(
        "a comparison is over when one member is",
        "physix/api/live/streams.py",
        "playing.difference_update(_ended([recorded]))\n                if not playing:",
        "playing.difference_update(_ended([recorded]))\n                if _ended([recorded]):",
        ("tests/api/live/test_streams.py::test_a_comparison_of_two_ends_with_the_second",),
    ),
    Mutant(
        "a client that stopped reading is kept",
        "physix/api/live/streams.py",
        "        except SendTimeoutError:\n            return",
        "        except SendTimeoutError:\n            raise",
        ("tests/api/live/test_streams.py::test_a_client_that_stopped_reading_is_dropped",),
    ),
    Mutant(
        "truth is told while the episode runs",
        "physix/api/access.py",
        "truth=ended and not held",
        "truth=not held",
        ("tests/api/test_app.py::test_no_truth_leaves_the_server_while_the_episode_runs",),
    ),
    Mutant(
        "the truth of evaluation tasks is told to players",
        "physix/api/access.py",
        "return self.hold_truth or is_evaluation(system_id, seed)",
        "return self.hold_truth",
        (
            "tests/api/test_secrets.py::test_no_route_tells_a_player_a_secret",
            "tests/api/openenv/test_environment.py::test_an_evaluation_episode_names_neither_seed_nor_system",
        ),
    ),
    Mutant(
        "anybody reads the turns of an owned episode on a held task",
        "physix/api/access.py",
        "return not held or self.published or is_open(started) or self.owns(started)",
        "return True",
        (
            "tests/api/test_secrets.py::test_an_episodes_own_token_reads_its_turns_but_not_its_truth",
            "tests/api/test_secrets.py::test_no_route_tells_a_player_a_secret",
        ),
    ),
    Mutant(
        "any token plays an episode",
        "physix/api/openenv/environment.py",
        "if expected is None or token is None or not hmac.compare_digest(_sha256(token), expected):",
        "if expected is None or token is None:",
        ("tests/api/openenv/test_environment.py::test_a_step_over_http_needs_the_episode_and_its_token",),
    ),
    Mutant(
        "a bare reset draws held-out systems",
        "physix/api/openenv/environment.py",
        "else not system.held_out)",
        "else True)",
        ("tests/api/openenv/test_rewards_and_draws.py",),
    ),
    Mutant(
        "a running episode's task is given to another",
        "physix/api/openenv/environment.py",
        "if source.owned:",
        "if False:",
        ("tests/api/openenv/test_environment.py::test_no_copy_of_a_running_episode_gives_its_truth_away",),
    ),
    Mutant(
        "the rubric forgets progress",
        "physix/api/openenv/environment.py",
        "rules.weight_progress * self.progress(action, observation)",
        "rules.weight_progress * 0.0",
        ("tests/api/openenv/test_rewards_and_draws.py",),
    ),
    Mutant(
        "an agent is paid the total under gain",
        "physix/api/openenv/observation.py",
        "episode.turns[-1].rewarded.emitted",
        "episode.turns[-1].rewarded.reward.total",
        ("tests/api/openenv/test_rewards_and_draws.py",),
    ),
    Mutant(
        "a frame may nest without a bound",
        "physix/api/openenv/wire.py",
        "if _too_deep(value, MAX_DEPTH):",
        "if False:",
        ("tests/api/openenv/test_wire.py",),
    ),
    Mutant(
        "a session that works is idle",
        "physix/api/openenv/wire.py",
        (
            "with anyio.move_on_after(self._idle_s if opened else math.inf) as waiting:\n"
            "                    message = await receive()"
        ),
        (
            "with anyio.move_on_after(self._idle_s if opened else math.inf) as waiting:\n"
            "                    await anyio.sleep(self._idle_s / 2)\n"
            "                    await anyio.sleep(self._idle_s)\n"
            "                    message = await receive()"
        ),
        (
            "tests/api/openenv/test_wire.py::test_a_session_that_works_longer_than_it_may_be_idle_is_not_closed",
        ),
    ),
    Mutant(
        "a quota never starts anew",
        "physix/api/quota.py",
        "if now - since >= _WINDOW_S:",
        "if False:",
        ("tests/api/test_quota.py",),
    ),
    Mutant(
        "a comparison counts as one session",
        "physix/api/http/comparisons.py",
        "await bill(request, sessions=len(body.policies), turns=",
        "await bill(request, sessions=1, turns=",
        (
            "tests/api/openenv/test_environment.py::test_quotas_count_forks_the_members_of_a_comparison_and_frames",
        ),
    ),
    Mutant(
        "forks are not counted",
        "physix/api/http/comparisons.py",
        '"/interactive/sessions/{episode_id}/fork", status_code=201, dependencies=[costs("sessions")]',
        '"/interactive/sessions/{episode_id}/fork", status_code=201',
        (
            "tests/api/openenv/test_environment.py::test_quotas_count_forks_the_members_of_a_comparison_and_frames",
        ),
    ),
    Mutant(
        "every origin may call the server",
        "physix/api/app.py",
        "allow_origins=settings.cors_origins,",
        'allow_origins=["*"],',
        ("tests/api/test_cors.py",),
    ),
    Mutant(
        "a player is told what a handful of a board's episodes are worth",
        "physix/api/http/board_views.py",
        "if (row.n if least is None else least) < MIN_TOLD_TOGETHER:",
        "if False:",
        ("tests/api/http/test_board.py",),
    ),
    Mutant(
        "two boards of a player's own differ by one task that is held back",
        "physix/api/http/board_views.py",
        'if header.by == "player":',
        "if False:",
        ("tests/api/http/test_board.py",),
    ),
    Mutant(
        "a report tells what a running episode holds back",
        "physix/api/http/found.py",
        "if episode.finished is None and not (episode.task.measured and not episode.owned):",
        "if False:",
        ("tests/api/http/test_found.py",),
    ),
    Mutant(
        "text of another process is told after its turn",
        "physix/api/live/broadcast.py",
        'if found is not None and kind == "ModelText" and found["turn"] <= self.settled:',
        'if found is not None and kind == "ModelText" and found["turn"] < 0:',
        ("tests/api/live/test_processes.py",),
    ),
    Mutant(
        "a stop asked of another process is not carried out",
        "physix/api/live/relay.py",
        "                self._drivers.cancel(drive.episode_id)\n",
        "                pass\n",
        (
            "tests/api/live/test_processes.py::test_a_run_of_one_process_is_seen_refused_and_paused_through_the_other[sqlite]",
        ),
    ),
    Mutant(
        "players read the metrics",
        "physix/api/http/probes.py",
        "    if not caller.operator:\n",
        "    if False:\n",
        ("tests/api/test_probes.py",),
    ),
)

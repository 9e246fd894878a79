"""Sampling, noise, splits and the reading of files."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "the first sample of a trajectory carries noise",
        "physix/engine/systems/sampling.py",
        "blur[0] = 0.0",
        "blur[0] *= 1.0",
        ("tests/engine/systems/test_sampling.py::test_the_first_sample_carries_no_noise",),
    ),
    Mutant(
        "noise is a share of a variable's size, not of its spread",
        "physix/engine/systems/sampling.py",
        "level * states.std(axis=0) * blur",
        "level * abs(states).max(axis=0) * blur",
        ("tests/engine/systems/test_sampling.py::test_noise_is_a_share_of_each_variables_spread",),
    ),
    Mutant(
        "parameters have six digits",
        "physix/engine/systems/sampling.py",
        'f"{value:.4g}"',
        'f"{value:.6g}"',
        ("tests/engine/systems/test_sampling.py::test_parameters_have_four_significant_digits",),
    ),
    Mutant(
        "the second trajectory draws the stream of the first",
        "physix/engine/systems/sampling.py",
        "for start in initials.spawn(trajectories)",
        "for start in initials.spawn(1) * trajectories",
        ("tests/engine/systems/test_sampling.py::test_more_trajectories_are_added_behind_the_first",),
    ),
    Mutant(
        "a task id leaves out the noise",
        "physix/engine/systems/sampling.py",
        "if noise != DEFAULT_NOISE:",
        "if False:",
        ("tests/engine/systems/test_sampling.py::test_a_task_id_names_every_option_that_is_not_the_default",),
    ),
    Mutant(
        "a seed may be true or false",
        "physix/engine/systems/sampling.py",
        "if isinstance(seed, bool) or not isinstance(seed, int) or",
        "if not isinstance(seed, int) or",
        ("tests/engine/systems/test_sampling.py::test_a_seed_that_is_no_allowed_integer_is_refused",),
    ),
    Mutant(
        "hidden motions start next to the shown one",
        "physix/engine/systems/base.py",
        "farthest = int(nearest.argmax())",
        "farthest = int(nearest.argmin())",
        (
            "tests/engine/systems/test_sampling.py::test_by_default_hidden_starts_lie_far_from_the_shown_one_in_units_of_each_variables_range",
        ),
    ),
    Mutant(
        "a private salt draws the public tasks",
        "physix/engine/systems/splits.py",
        "hmac.digest(salt.encode(),",
        "hmac.digest(PUBLIC_SALT.encode(),",
        (
            "tests/engine/systems/test_splits.py::test_another_salt_is_another_set_of_evaluation_tasks_but_the_same_training",
        ),
    ),
    Mutant(
        "an evaluation task names its seed",
        "physix/engine/systems/splits.py",
        "replace(task, seed=None, title=",
        "replace(task, title=",
        ("tests/engine/systems/test_splits.py",),
    ),
    Mutant(
        "seeds for evaluation may be learned from",
        "physix/engine/systems/splits.py",
        "task.seed in EVALUATION_SEEDS",
        "task.seed < 0",
        (
            "tests/engine/systems/test_splits.py::test_a_task_for_evaluation_is_known_by_its_seed_its_split_or_its_missing_seed",
        ),
    ),
    Mutant(
        "a smoothing window's own noise is not allowed for",
        "physix/engine/systems/noise.py",
        "return (x[centres] - level) / np.sqrt(variance), level",
        "return x[centres] - level, level",
        ("tests/engine/systems/test_noise.py",),
    ),
    Mutant(
        "rounded digits have a noise of half a step",
        "physix/engine/systems/noise.py",
        "float(np.diff(values).min()) / math.sqrt(12.0)",
        "float(np.diff(values).min()) / 12.0",
        (
            "tests/engine/systems/test_noise.py::test_clean_data_have_next_to_none_and_cut_digits_have_what_rounding_makes",
        ),
    ),
    Mutant(
        "a decimal comma is read as a point that is left out",
        "physix/engine/systems/measured/cells.py",
        'text = text.replace(",", ".")\n',
        'text = text.replace(",", "")\n',
        ("tests/engine/systems/measured/test_dialects.py",),
    ),
    Mutant(
        "a clock's afternoon is its morning",
        "physix/engine/systems/measured/cells.py",
        '12 if half[0] in "pP" else 0',
        "0",
        ("tests/engine/systems/measured/test_cells.py",),
    ),
    Mutant(
        "degrees count as radians",
        "physix/engine/systems/measured/agree.py",
        "values=column.values * swapped[1]",
        "values=column.values",
        ("tests/engine/systems/measured/test_roles.py::test_degrees_are_converted_and_that_is_said",),
    ),
    Mutant(
        "a rate that has its sign turned round is taken",
        "physix/engine/systems/measured/agree.py",
        "elif abs(factor + 1.0) < _SAME:",
        "elif abs(factor + 1.0) < 0.0:",
        ("tests/engine/systems/measured/test_roles.py",),
    ),
    Mutant(
        "a rate in other units is taken as it stands",
        "physix/engine/systems/measured/agree.py",
        "unit=expected, values=column.values * factor)",
        "unit=expected, values=column.values)",
        (
            "tests/engine/systems/measured/test_roles.py::test_a_rate_in_other_units_is_converted_and_that_is_said",
        ),
    ),
    Mutant(
        "nothing is held back of a file of forty rows",
        "physix/engine/systems/measured/task.py",
        "enough = sum(len(run.t) for run in runs) >= HOLD_BACK_FROM",
        "enough = sum(len(run.t) for run in runs) > HOLD_BACK_FROM",
        (
            "tests/engine/systems/measured/test_task.py::test_the_last_quarter_is_held_back_from_forty_rows_on",
        ),
    ),
    Mutant(
        "the first runs of several are held back",
        "physix/engine/systems/measured/task.py",
        "return tuple(runs[:-count]), tuple(runs[-count:])",
        "return tuple(runs[count:]), tuple(runs[:count])",
        ("tests/engine/systems/measured/test_task.py::test_of_several_runs_whole_ones_are_held_back",),
    ),
    Mutant(
        "rows of one time count once, not as their mean",
        "physix/engine/systems/measured/clock.py",
        "np.divide(sums, weights,",
        "np.divide(sums, np.ones_like(weights),",
        ("tests/engine/systems/measured/test_times.py::test_rows_of_one_time_are_averaged_and_that_is_said",),
    ),
    Mutant(
        "a long record is thinned by leaving samples out",
        "physix/engine/systems/measured/thin.py",
        "bell = 0.5 + 0.5 * np.cos(np.pi * offsets / (half + 1))",
        "bell = 1.0 * (np.abs(offsets) <= 1)",
        ("tests/engine/systems/measured/test_times.py",),
    ),
)

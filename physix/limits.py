"""Every maximum and every rule for a name that more than one place must agree on, in one place.

Whatever a stranger hands us is bounded by a number or a pattern from here, before the work it bounds.
Bounds of one algorithm (the evaluations of a fit, the depth of a reply's JSON) stay beside it.
"""

from __future__ import annotations

from typing import Final

# The grammar of equations
MAX_EQUATION_CHARACTERS: Final = 1_024
MAX_EQUATION_TOKENS: Final = 256
MAX_EQUATION_DEPTH: Final = 24
MAX_NUMBER: Final = 1e30  # magnitude of a literal or a param: 1 MHz told in seconds squares to 4e13
MAX_PARAMS: Final = 16
MAX_NAME_CHARACTERS: Final = 32

TIME: Final = "t"
CONSTANTS: Final = ("pi",)
BASIC_FUNCTIONS: Final = ("sin", "cos", "tan", "exp", "log", "sqrt", "abs")
EXTENDED_FUNCTIONS: Final = (*BASIC_FUNCTIONS, "tanh", "sign", "min", "max", "atan", "sinh", "cosh")
# What no variable, input or param of a task may be called, whichever functions its episodes allow.
RESERVED_WORDS: Final = frozenset({TIME, *CONSTANTS, *EXTENDED_FUNCTIONS})

# Names
PERSON: Final = "you"  # the policy of an episode that a person plays
# What may name a new episode. A log also shows what older ones were called: up to MAX_EPISODE_ID characters.
EPISODE_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
EPISODE_ID_IN_WORDS: Final = "1 to 64 ASCII letters, digits, and . _ : -, beginning with a letter or digit"
MAX_EPISODE_ID: Final = 64
MAX_COMMAND_ID: Final = 128
FILE_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"  # of a training run, and of an episode in a bundle
MAX_SYSTEM_ID: Final = 64
MAX_POLICY_NAME: Final = 128
MIN_TOKEN: Final = 16  # characters of the secret that owns an episode
MAX_TOKEN: Final = 128
PUBLIC_SALT: Final = "physix-public-1"  # of evaluation tasks that every laboratory draws alike

# Episodes
DEFAULT_TURNS: Final = 8
MAX_TURNS: Final = 64
POLICY_ATTEMPTS: Final = 3  # at one turn
MAX_MEMBERS: Final = 8  # of a comparison

# Boards
MAX_BOARD_EPISODES: Final = 100_000
MAX_BOARD_WORDS: Final = 32  # policies or suites of one board
MAX_BOARD_SEEDS: Final = 10_000
MIN_TOLD_TOGETHER: Final = 20  # episodes that a share must be of for a player to be told it

# What is recorded of a turn
MAX_RECORDED_EQUATION: Final = 4_096  # characters; whether they are an equation is the grammar's question
MAX_RECORDED_RATIONALE: Final = 4_096
MAX_RECORDED_COMPLETION: Final = 65_536
MAX_RECORDED_PARAMS: Final = 64
MAX_PARAM_NAME: Final = 64
MAX_LABELS: Final = 16
MAX_LABEL_NAME: Final = 64
MAX_LABEL_VALUE: Final = 500  # and at most four bytes each: PostgreSQL indexes no more than 2,700

# Tasks
MAX_SEED: Final = 2**53 - 1  # the last integer that JSON readers in every language keep exactly
MAX_NOISE: Final = 0.05
MAX_TRAJECTORIES: Final = 4
MAX_TIER: Final = 3
MAX_STATES: Final = 8
MAX_MAGNITUDE: Final = 1e12  # of a state: beyond it a simulation diverged

# Tables of measurements
MAX_TABLE_BYTES: Final = 8 * 1024 * 1024  # in a request
MAX_FILE_BYTES: Final = 64 * 1024 * 1024  # of a file on this machine
MAX_FILE_COLUMNS: Final = 256  # of a file, before roles are chosen
MAX_LINES: Final = 2_000_000  # of a file
MAX_LINE: Final = 100_000  # characters
MAX_CELL: Final = 400  # characters of a number
MAX_HEADER: Final = 200  # characters that are kept of a header or of a word in a cell
MAX_HEADER_NAME: Final = 24  # leaves room for the v of an estimated velocity in MAX_NAME_CHARACTERS
MAX_MEASURED: Final = 1e60  # magnitude of a number in a file: its square and its cube are still numbers
MAX_RUNS: Final = 64
MIN_RUN_ROWS: Final = 5
MAX_INPUTS: Final = 8
MIN_ROWS: Final = 8
MAX_ROWS: Final = 10_000
MAX_COLUMN_NAME: Final = 32
MAX_UNIT: Final = 32
MAX_HINT: Final = 1_000
MAX_TITLE: Final = 120
MAX_HOLD_BACK: Final = 0.5

# What models write
MAX_REPLY_CHARACTERS: Final = 60_000  # of a reply; the record keeps MAX_RECORDED_COMPLETION

# Lists and streams
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 200
MAX_COUNTED: Final = 10_000  # episodes that a filter shows: counting more takes longer than a page
MAX_EXPORTED: Final = 200  # episodes in one download
MAX_CURVE_POINTS: Final = 2_000  # of a training run's metrics in one answer
MAX_FOLLOWED: Final = 64  # episodes on one stream
MAX_POSITION: Final = MAX_SEED
MAX_CURSOR: Final = 512
MAX_SEARCH_TEXT: Final = 128

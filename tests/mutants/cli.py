"""What a script that calls `physix` relies on."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "wrong input ends with 1",
        "physix/cli/app.py",
        "        sys.exit(2)",
        "        sys.exit(1)",
        ("tests/cli/test_exit_codes.py",),
    ),
    Mutant(
        "a failure ends with 0",
        "physix/cli/app.py",
        "        sys.exit(1)\n    except OSError",
        "        sys.exit(0)\n    except OSError",
        ("tests/cli/test_exit_codes.py",),
    ),
    Mutant(
        "an interrupt ends with 0",
        "physix/cli/app.py",
        "sys.exit(130)",
        "sys.exit(0)",
        ("tests/cli/test_exit_codes.py",),
    ),
    Mutant(
        "--strict plays under classic",
        "physix/cli/app.py",
        'profile="strict" if strict else "classic"',
        'profile="classic"',
        ("tests/cli/test_run_options.py",),
    ),
    Mutant(
        "a forged log passes for honest",
        "physix/cli/log_verify.py",
        "self.differences += len(report.differences)",
        "self.differences += 0",
        ("tests/cli/test_log_commands.py",),
    ),
    Mutant(
        "a difference is told as none",
        "physix/cli/log_verify.py",
        "raise typer.Exit(1)",
        "raise typer.Exit(0)",
        ("tests/cli/test_log_commands.py",),
    ),
)

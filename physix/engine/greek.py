"""The Greek alphabet by the names that equations use for it, in files, replies and typesetting alike."""

from typing import Final

GREEK: Final = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau "
        "upsilon phi chi psi omega".split(),
        strict=True,
    )
)
# Other shapes of the same letters; the micro sign is not one of them, as it is also a prefix of units.
GREEK_VARIANTS: Final = {"ς": "sigma", "ϑ": "theta", "ϕ": "phi", "ϵ": "epsilon"}
# Names that TeX has a command for: it writes omicron, and most capitals, with Latin letters.
TEX_GREEK: Final = frozenset(
    {*GREEK.values(), *"Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()} - {"omicron"}
)

"""A hundred replies as small models write them, and what each of them means."""

# A table: a reply and its meaning belong on one line.
# ruff: noqa: E501

from physix.engine.systems.task import StateVariable


def state(name: str, rate_of: str | None = None) -> StateVariable:
    return StateVariable(name=name, unit=None, symbol=name, description="", rate_of=rate_of)


FALL = (state("y"), state("vy", "y"))
SWING = (state("theta"), state("dtheta", "theta"))
SPRING = (state("x"), state("vx", "x"))
HUNT = (state("hare"), state("lynx"))
PLANE = (state("x"), state("y"), state("vx", "x"), state("vy", "y"))

G = "d2y/dt2 = -g"
K = "d2x/dt2 = -k*x"
P = "d2theta/dt2 = -(g/L)*sin(theta)"

# (what a model wrote, the task's variables, the equation or the error's code, the params)
Case = tuple[str, tuple[StateVariable, ...], str, dict[str, float | None]]
CASES: dict[str, Case] = {
    "exact JSON": ('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}, "rationale": "falls"}', FALL, G, {"g": 9.81}),
    "a fence": ('```json\n{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}\n```', FALL, G, {"g": 9.81}),
    "a fence without a language": ('```\n{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}\n```', FALL, G, {"g": 9.81}),
    "an unclosed fence": ('```json\n{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "prose before": ('Sure! Here is my answer:\n\n{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "prose after": ('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}\n\nThis models gravity.', FALL, G, {"g": 9.81}),
    "the last of two answers": (
        '{"equation": "d2y/dt2 = -1.0", "params": {}} Wait, better:\n{"equation": "d2y/dt2 = -g", "params": {"g": 9.8}}',
        FALL, G, {"g": 9.8},
    ),
    "a whole answer before a cut one": (
        '{"equation": "d2y/dt2 = -g", "params": {"g": 9.8}} or perhaps {"equation": "d2y/dt2 = -g + k', FALL, G, {"g": 9.8},
    ),
    "single quotes": ("{'equation': 'd2y/dt2 = -g', 'params': {'g': 9.81}}", FALL, G, {"g": 9.81}),
    "single quotes around primes": ("{'equation': 'x'' = -k*x', 'params': {'k': 4}}", SPRING, K, {"k": 4.0}),
    "smart quotes": ("{“equation”: “d2y/dt2 = -g”, “params”: {“g”: 9.81}}", FALL, G, {"g": 9.81}),
    "bare keys": ('{equation: "d2y/dt2 = -g", params: {g: 9.81}}', FALL, G, {"g": 9.81}),
    "a trailing comma": ('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81,},}', FALL, G, {"g": 9.81}),
    "a forgotten comma": ('{"equation": "d2y/dt2 = -g"\n "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "comments": ('{"equation": "d2y/dt2 = -g", // gravity\n "params": {"g": 9.81} /* SI */}', FALL, G, {"g": 9.81}),
    "a hash comment": ('{"equation": "d2y/dt2 = -g",  # gravity\n "params": {"g": 9.81 # SI\n}}', FALL, G, {"g": 9.81}),
    "Python's None": ("{'equation': 'd2y/dt2 = -g', 'params': {'g': None}}", FALL, G, {"g": None}),
    "null": ('{"equation": "d2y/dt2 = -g", "params": {"g": null}}', FALL, G, {"g": None}),
    "capital keys": ('{"Equation": "d2y/dt2 = -g", "Params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "another word for params": ('{"equation": "d2y/dt2 = -g", "parameters": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "constants": ('{"ode": "d2y/dt2 = -g", "constants": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "missing params": ('{"equation": "d2y/dt2 = -9.81"}', FALL, "d2y/dt2 = -9.81", {}),
    "params null": ('{"equation": "d2y/dt2 = -9.81", "params": null}', FALL, "d2y/dt2 = -9.81", {}),
    "params as a list of objects": (
        '{"equation": "d2y/dt2 = -g", "params": [{"name": "g", "value": 9.81}]}', FALL, G, {"g": 9.81},
    ),
    "params as a list of texts": ('{"equation": "d2y/dt2 = -g", "params": ["g = 9.81"]}', FALL, G, {"g": 9.81}),
    "params as text": ('{"equation": "d2y/dt2 = -g", "params": "g = 9.81"}', FALL, G, {"g": 9.81}),
    "params with units": ('{"equation": "d2y/dt2 = -g", "params": {"g": "9.81 m/s^2"}}', FALL, G, {"g": 9.81}),
    "bare numbers with units": ('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81 m/s^2}}', FALL, G, {"g": 9.81}),
    "params as value and unit": (
        '{"equation": "d2y/dt2 = -g", "params": {"g": {"value": 9.81, "unit": "m/s^2"}}}', FALL, G, {"g": 9.81},
    ),
    "numbers as text": ('{"equation": "d2x/dt2 = -k*x", "params": {"k": "2.5e-1"}}', SPRING, K, {"k": 0.25}),
    "a leading plus and a bare point": ('{"equation": "d2x/dt2 = -k*x", "params": {"k": +.5}}', SPRING, K, {"k": 0.5}),
    "Greek params": (
        '{"equation": "d2x/dt2 = -ω**2*x", "params": {"ω": 2.0}}', SPRING, "d2x/dt2 = -omega**2*x", {"omega": 2.0},
    ),
    "a wrapper": ('{"hypothesis": {"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}}', FALL, G, {"g": 9.81}),
    "a tool call": (
        '<tool_call>{"name": "propose", "arguments": {"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}}</tool_call>',
        FALL, G, {"g": 9.81},
    ),
    "equation as a list": (
        '{"equation": ["dhare/dt = a*hare", "dlynx/dt = -b*lynx"], "params": {"a": 1, "b": 2}}',
        HUNT, "dhare/dt = a*hare; dlynx/dt = -b*lynx", {"a": 1.0, "b": 2.0},
    ),
    "equations by their left sides": (
        '{"equations": {"dhare/dt": "a*hare", "dlynx/dt": "-b*lynx"}, "params": {"a": 1, "b": 2}}',
        HUNT, "dhare/dt = a*hare; dlynx/dt = -b*lynx", {"a": 1.0, "b": 2.0},
    ),
    "left sides as keys": ('{"d2y/dt2": "-g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "equations separated by commas": (
        '{"equation": "dhare/dt = 2*hare, dlynx/dt = -lynx", "params": {}}', HUNT, "dhare/dt = 2*hare; dlynx/dt = -lynx", {},
    ),
    "an escaped newline": (
        '{"equation": "dhare/dt = 2*hare\\ndlynx/dt = -lynx", "params": {}}', HUNT, "dhare/dt = 2*hare; dlynx/dt = -lynx", {},
    ),
    "a real newline in a string": (
        '{"equation": "dhare/dt = 2*hare\ndlynx/dt = -lynx", "params": {}}', HUNT, "dhare/dt = 2*hare; dlynx/dt = -lynx", {},
    ),
    "superscripts": ('{"equation": "d²y/dt² = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "carets": ('{"equation": "d^2y/dt^2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "stars in the derivative": ('{"equation": "d**2y/dt**2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "spaces in the derivative": ('{"equation": "d^2 y / dt^2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "parentheses in the derivative": ('{"equation": "d2(y)/dt2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "y of t": ('{"equation": "d2y(t)/dt2 = -k*y(t)", "params": {"k": 1}}', FALL, "d2y/dt2 = -k*y", {"k": 1.0}),
    "primes": ('{"equation": "y\'\' = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "primes of t": ('{"equation": "y\'\'(t) = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "typographic primes": ('{"equation": "y″ = −g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81}),
    "theta with primes": (
        '{"equation": "θ\'\' = -(g/L)*sin(θ)", "params": {"g": 9.81, "L": 1}}', SWING, P, {"g": 9.81, "L": 1.0},
    ),
    "theta with dots": (
        '{"equation": "θ̈ = -(g/L)·sin θ - b·θ̇", "params": {"g": 9.81, "L": 1, "b": 0.1}}',
        SWING, P + " - b*dtheta", {"g": 9.81, "L": 1.0, "b": 0.1},
    ),
    "precomposed dots": ('{"equation": "ẍ = -k*x - b*ẋ", "params": {"k": 4, "b": 0.2}}', SPRING, K + " - b*vx", {"k": 4.0, "b": 0.2}),
    "LaTeX in JSON": (
        '{"equation": "\\\\ddot{\\\\theta} = -\\\\frac{g}{L} \\\\sin(\\\\theta)", "params": {"g": 9.81, "L": 1}}',
        SWING, P, {"g": 9.81, "L": 1.0},
    ),
    "LaTeX unescaped": (
        '{"equation": "\\frac{d^2 x}{dt^2} = -k x", "params": {"k": 4}}', SPRING, K, {"k": 4.0},
    ),
    "LaTeX in prose": ("The law is $\\frac{d^2 x}{dt^2} = -k x$ with $k = 4.0$.", SPRING, K, {"k": 4.0}),
    "velocity's own equation": (
        '{"equation": "dx/dt = vx; dvx/dt = -k*x", "params": {"k": 4}}', SPRING, K, {"k": 4.0},
    ),
    "a derivative on the right": (
        '{"equation": "d2x/dt2 = -k*x - b*dx/dt", "params": {"k": 4, "b": 1}}', SPRING, K + " - b*vx", {"k": 4.0, "b": 1.0},
    ),
    "a prime on the right": (
        '{"equation": "x\'\' = -k*x - b*x\'", "params": {"k": 4, "b": 1}}', SPRING, K + " - b*vx", {"k": 4.0, "b": 1.0},
    ),
    "all on one side": ('{"equation": "x\'\' + k*x = 0", "params": {"k": 4}}', SPRING, "d2x/dt2 = -(k*x)", {"k": 4.0}),
    "implicit products": ('{"equation": "d2x/dt2 = -2x - 3 x", "params": {}}', SPRING, "d2x/dt2 = -2*x - 3*x", {}),
    "products of parentheses": (
        '{"equation": "d2theta/dt2 = -(g/L) sin(theta)", "params": {"g": 9.81, "L": 1}}', SWING, P, {"g": 9.81, "L": 1.0},
    ),
    "carets as powers": ('{"equation": "d2y/dt2 = -g + k*vy^2", "params": {"g": 9.81, "k": 0.1}}', FALL, G + " + k*vy**2", {"g": 9.81, "k": 0.1}),
    "superscript powers": ('{"equation": "d2y/dt2 = -g + k·vy²", "params": {"g": 9.81, "k": 0.1}}', FALL, G + " + k*vy**2", {"g": 9.81, "k": 0.1}),
    "bars": ('{"equation": "d2y/dt2 = -g - k*vy*|vy|", "params": {"g": 9.81, "k": 0.1}}', FALL, G + " - k*vy*abs(vy)", {"g": 9.81, "k": 0.1}),
    "np.sin and ln": ('{"equation": "d2x/dt2 = -np.sin(x) + ln(x)", "params": {}}', SPRING, "d2x/dt2 = -sin(x) + log(x)", {}),
    "square brackets": ('{"equation": "d2x/dt2 = -k*[x + 1]", "params": {"k": 1}}', SPRING, "d2x/dt2 = -k*(x + 1)", {"k": 1.0}),
    "thinking first": (
        '<think>Perhaps {"equation": "d2y/dt2 = 0"}? No.</think>{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81},
    ),
    "thinking opened by the template": (
        'It falls.</think>\n{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}', FALL, G, {"g": 9.81},
    ),
    "an end mark": ('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}<|im_end|>', FALL, G, {"g": 9.81}),
    "prose alone": ("I propose d2y/dt2 = -g where g = 9.81.", FALL, G, {"g": 9.81}),
    "prose with a colon": ("Equation: d2y/dt2 = -g\nParams: g: 9.81", FALL, G, {"g": 9.81}),
    "bold prose": ("**Hypothesis:** `d2x/dt2 = -k*x`, with k = 3.95", SPRING, K, {"k": 3.95}),
    "prose with superscripts": ("So: d²θ/dt² = -(g/L)*sin(θ) with g = 9.81 and L = 1.2", SWING, P, {"g": 9.81, "L": 1.2}),
    "two equations in prose": (
        "dhare/dt = a*hare\ndlynx/dt = -b*lynx\nwhere a = 0.5 and b = 0.8", HUNT, "dhare/dt = a*hare; dlynx/dt = -b*lynx", {"a": 0.5, "b": 0.8},
    ),
    "cut in the rationale": ('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}, "rationale": "because the ob', FALL, G, {"g": 9.81}),
    "cut after the params": ('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}', FALL, G, {"g": 9.81}),
    "cut in a number": ('{"equation": "d2y/dt2 = -g - k*vy", "params": {"k": 0.5, "g": 9.', FALL, G + " - k*vy", {"k": 0.5}),
    "cut in the equation": ('{"equation": "d2y/dt2 = -g + k*v', FALL, "truncated", {}),
    "cut before the equation": ('{"rationale": "The ball falls under gravi', FALL, "truncated", {}),
    "empty": ("", FALL, "empty", {}),
    "white space": (" \n\t ", FALL, "empty", {}),
    "an end mark alone": ("<|im_end|>", FALL, "empty", {}),
    "a refusal": ("I'm sorry, but I can't help with that.", FALL, "no_hypothesis", {}),
    "prose without an equation": ("The ball is falling because of gravity.", FALL, "no_hypothesis", {}),
    "an object without an equation": ('{"params": {"g": 9.81}}', FALL, "no_hypothesis", {}),
    "unfinished thinking": ("<think>Let me see. The velocity grows linearly, so d2y/dt2 = -g", FALL, "unfinished_thought", {}),
    "an equation that is a number": ('{"equation": 42, "params": {}}', FALL, "bad_equation", {}),
    "an empty equation": ('{"equation": "", "params": {}}', FALL, "bad_equation", {}),
    "a param that is a word": ('{"equation": "d2y/dt2 = -g", "params": {"g": "gravity"}}', FALL, "bad_params", {}),
    "a param that is true": ('{"equation": "d2y/dt2 = -g", "params": {"g": true}}', FALL, "bad_params", {}),
    "a param that is not finite": ('{"equation": "d2y/dt2 = -g", "params": {"g": NaN}}', FALL, "bad_params", {}),
    "a param that is a sum": ('{"equation": "d2y/dt2 = -g", "params": {"g": "9.81*2"}}', FALL, "bad_params", {}),
    "params as a number": ('{"equation": "d2y/dt2 = -g", "params": 9.81}', FALL, "bad_params", {}),
    "an endless equation": ('{"equation": "d2y/dt2 = ' + "1+" * 3000 + '1"}', FALL, "too_long", {}),
    "an endless reply": ("x" * 70_000, FALL, "too_long", {}),
    "the plane": (
        '{"equation": "x\'\' = w*y\'; y\'\' = -w*x\'", "params": {"w": 2}}', PLANE, "d2x/dt2 = w*vy; d2y/dt2 = -w*vx", {"w": 2.0},
    ),
}  # fmt: skip

"""More replies as models write them: factors before the derivative, helper lines, tool calls, words.

Each expectation was written by hand, before the reader was run on it. A code stands where the reply may not
be read: reading garbage is worse than refusing.
"""

# A table: a reply and its meaning belong on one line.
# ruff: noqa: E501

from tests.policies.chat.replies import FALL, HUNT, PLANE, SPRING, SWING, Case, G, K, P

REFUSED = "refused"  # by the reader (a ParseFailure) or by the verifier, which says why

KB = "d2x/dt2 = -k*x - b*vx"
_JSON = '{{"equation": "{}", "params": {}}}'


def said(equation: str, params: str = "{}") -> str:
    return _JSON.format(equation.replace("\\", "\\\\").replace("\n", "\\n"), params)


Params = dict[str, float | None]
K1: Params = {"k": 4.0}
KM: Params = {"k": 4.0, "m": 2.0}
K25: Params = {"k": 2.5}
KMB: Params = {"k": 4.0, "m": 2.0, "b": 0.5}
k1, km, kmb = '{"k": 4}', '{"k": 4, "m": 2}', '{"k": 4, "m": 2, "b": 0.5}'
GL: Params = {"g": 9.81, "L": 1.0}
G1: Params = {"g": 9.81}
gl = '{"g": 9.81, "L": 1}'
NONE: Params = {}

MORE: dict[str, Case] = {
    # What stands before the derivative.
    "a minus before": (said("-d2x/dt2 = k*x", k1), SPRING, "d2x/dt2 = -(k*x)", K1),
    "a minus and a space before": (said("- d2x/dt2 = k*x", k1), SPRING, "d2x/dt2 = -(k*x)", K1),
    "a mass before": (said("m*x'' = -k*x", km), SPRING, "d2x/dt2 = -k*x/m", KM),
    "a mass run in": (said("m x'' = -k x", km), SPRING, "d2x/dt2 = -k*x/m", KM),
    "a number before": (said("2*d2x/dt2 = -k*x", k1), SPRING, "d2x/dt2 = -k*x/2", K1),
    "a bare number before": (said("2 d2x/dt2 = -k*x", k1), SPRING, "d2x/dt2 = -k*x/2", K1),
    "a factor behind": (said("d2x/dt2*m = -k*x", km), SPRING, "d2x/dt2 = -k*x/m", KM),
    "a divisor below": (said("d2x/dt2/2 = -k*x", k1), SPRING, "d2x/dt2 = -k*x/(1/2)", K1),
    "the derivative on the right": (said("-k*x = m*d2x/dt2", km), SPRING, "d2x/dt2 = -k*x/m", KM),
    "everything on the left": (said("m*x'' + b*x' + k*x = 0", kmb), SPRING, "d2x/dt2 = -(b*vx + k*x)/m", KMB),
    "a force on the right": (said("x'' + k*x = cos(t)", k1), SPRING, "d2x/dt2 = cos(t) - k*x", K1),
    "a sum with a minus": (said("x'' - 3*x = 0"), SPRING, "d2x/dt2 = 3*x", NONE),
    "on both sides": (said("2*x'' = x'' - k*x", k1), SPRING, "d2x/dt2 = -(k*x)/(2 - 1)", K1),
    "a bracket before": (said("(m + 1)*x'' = -k*x", km), SPRING, "d2x/dt2 = -k*x/(m + 1)", KM),
    "squared": (said("x''**2 = -k*x", k1), SPRING, REFUSED, NONE),
    "inside a sine": (said("sin(x'') = -k*x", k1), SPRING, REFUSED, NONE),
    "falling out": (said("x'' - x'' = -k*x", k1), SPRING, REFUSED, NONE),
    "below a fraction": (said("1/x'' = -k*x", k1), SPRING, REFUSED, NONE),
    "two derivatives in one": (said("x'' + y'' = -1"), PLANE, REFUSED, NONE),
    # Words.
    "words after": (said("d2x/dt2 = -k*x is a nonlinear differential equation", k1), SPRING, K, K1),
    "an article after": (said("d2x/dt2 = -k*x a nonlinear equation", k1), SPRING, K, K1),
    "words in parentheses": (said("d2x/dt2 = -k*x (Hooke's law)", k1), SPRING, K, K1),
    "words before": (said("The law is d2x/dt2 = -k*x", k1), SPRING, K, K1),
    "a label": (said("Equation of motion: d2x/dt2 = -k*x", k1), SPRING, K, K1),
    "words alone": (said("acceleration equals minus gravity"), FALL, REFUSED, NONE),
    "words for a side": (said("d2y/dt2 = acceleration of the ball"), FALL, REFUSED, NONE),
    "words amid mathematics": (said("d2x/dt2 = -k*x plus damping - b*vx", kmb), SPRING, REFUSED, NONE),
    "a term after words": (said("d2x/dt2 = -k*x (spring) - b*vx (drag)", kmb), SPRING, REFUSED, NONE),
    "a unit behind a number": (said("d2y/dt2 = -9.81 m/s^2"), FALL, "d2y/dt2 = -9.81", NONE),
    "a unit in brackets": (said("d2y/dt2 = -g [m/s^2]", '{"g": 9.81}'), FALL, G, G1),
    "units as words": (said("d2y/dt2 = -9.81 meters per second"), FALL, "d2y/dt2 = -9.81", NONE),
    "a condition of no weight": (said("d2y/dt2 = -g for all t > 0", '{"g": 9.81}'), FALL, G, G1),
    "cases": (said("d2x/dt2 = -k*x if x > 0, otherwise 0", k1), SPRING, REFUSED, NONE),
    "a denied law": (said("d2x/dt2 = -k*x is wrong", k1), SPRING, REFUSED, NONE),
    "a description of terms": (said("d2y/dt2 = -g, g is gravity", '{"g": 9.81}'), FALL, G, G1),
    # Constants beside the equation.
    "with a constant": (said("d2x/dt2 = -k*x with k = 2.5"), SPRING, K, K25),
    "a constant after a comma": (said("d2x/dt2 = -k*x, k = 2.5"), SPRING, K, K25),
    "a constant in parentheses": (said("d2x/dt2 = -k*x (k = 2.5)"), SPRING, K, K25),
    "constants with units": (said("d2x/dt2 = -k*x where k = 2.5 s^-2"), SPRING, K, K25),
    "a constant on a line": (said("k = 2.5\nd2x/dt2 = -k*x"), SPRING, K, K25),
    "params win": (said("d2x/dt2 = -k*x with k = 2.5", '{"k": 3}'), SPRING, K, {"k": 3.0}),
    "a constant as a key": ('{"equation": "d2x/dt2 = -k*x", "k": 2.5}', SPRING, K, K25),
    "a constant after the object": ('{"equation": "d2x/dt2 = -k*x"} with k = 2.5', SPRING, K, K25),
    "a decimal comma": (said("d2y/dt2 = -9,81"), FALL, REFUSED, NONE),
    # Helper lines.
    "a helper before": (said("omega2 = k/m; d2x/dt2 = -omega2*x", km), SPRING, "d2x/dt2 = -(k/m)*x", KM),
    "a helper after": (said("d2x/dt2 = -w*x where w = k/m", km), SPRING, "d2x/dt2 = -(k/m)*x", KM),
    "helpers in a chain": (said("F = -k*x; a = F/m; d2x/dt2 = a", km), SPRING, "d2x/dt2 = -k*x/m", KM),
    "a force and Newton": (said("F = -k*x; m*x'' = F", km), SPRING, "d2x/dt2 = -k*x/m", KM),
    "helpers in a circle": (said("a = b; b = a; d2x/dt2 = a"), SPRING, REFUSED, NONE),
    "a helper given twice": (said("a = k*x; a = 2*x; d2x/dt2 = a", k1), SPRING, REFUSED, NONE),
    "given by a relation": (said("m*a = -k*x; d2x/dt2 = a", km), SPRING, REFUSED, NONE),
    "helpers without end": (said("; ".join(f"a{i} = a{i + 1}*a{i + 1}" for i in range(30)) + "; d2x/dt2 = a0"), SPRING, REFUSED, NONE),
    "the velocity renamed": (said("dx/dt = v; dv/dt = -k*x", k1), SPRING, K, K1),
    "the velocity renamed and used": (said("v = dx/dt; x'' = -k*x - b*v", kmb), SPRING, KB, KMB),
    "another velocity": (said("dx/dt = 2*vx; dvx/dt = -k*x", k1), SPRING, REFUSED, NONE),
    "a velocity let": (said("Let v = dx/dt. Then dv/dt = -k x.", k1), SPRING, K, K1),
    "a start": (said("d2x/dt2 = -k*x, x(0) = 1, x'(0) = 0", k1), SPRING, K, K1),
    "a start in the law": (said("d2x/dt2 = -k*x(0)", k1), SPRING, REFUSED, NONE),
    "equal sides": (said("d2y/dt2 = -g = -9.81"), FALL, "d2y/dt2 = -9.81", NONE),
    "nearly equal sides": (said("theta'' = -(g/L)*sin(theta) ≈ -(g/L)*theta", gl), SWING, REFUSED, NONE),
    "given twice": (said("d2x/dt2 = -k*x; d2x/dt2 = k*x", k1), SPRING, REFUSED, NONE),
    # Products and powers.
    "names run together": (said("x'' = -kx", k1), SPRING, "d2x/dt2 = -(k*x)", K1),
    "a power of a run": (said("x'' = -kx^2", k1), SPRING, REFUSED, NONE),
    "below or beside": (said("x'' = -k/2m", km), SPRING, REFUSED, NONE),
    "a fraction and a space": (said("theta'' = -g/L sin(theta)", gl), SWING, "d2theta/dt2 = -g/L*sin(theta)", GL),
    "pow": (said("d2y/dt2 = -9.81 - 0.1*pow(vy, 2)"), FALL, "d2y/dt2 = -9.81 - 0.1*vy**2", NONE),
    "Math.pow": (said("d2y/dt2 = -9.81 - 0.1*Math.pow(vy, 2)"), FALL, "d2y/dt2 = -9.81 - 0.1*vy**2", NONE),
    "e to a power": (said("d2x/dt2 = e**(-x)"), SPRING, "d2x/dt2 = exp(-x)", NONE),
    "e with a caret": (said("d2x/dt2 = e^{-x}"), SPRING, "d2x/dt2 = exp(-x)", NONE),
    "e as a constant": (said("d2x/dt2 = -e**x", '{"e": 2}'), SPRING, "d2x/dt2 = -e**x", {"e": 2.0}),
    "exp of a product": (said("d2x/dt2 = -exp(-2x)"), SPRING, "d2x/dt2 = -exp(-2*x)", NONE),
    "bars behind": (said("d2y/dt2 = -9.81 - k vy|vy|", k1), FALL, "d2y/dt2 = -9.81 - k*vy*abs(vy)", K1),
    "bars before": (said("d2y/dt2 = -9.81 - k|vy|vy", k1), FALL, "d2y/dt2 = -9.81 - k*abs(vy)*vy", K1),
    "bars twice": (said("d2x/dt2 = -|x|*|vx|"), SPRING, "d2x/dt2 = -abs(x)*abs(vx)", NONE),
    "bars in bars": (said("d2x/dt2 = -|x - (|vx|)|"), SPRING, "d2x/dt2 = -abs(x - abs(vx))", NONE),
    "an open bar": (said("d2x/dt2 = -|x"), SPRING, REFUSED, NONE),
    "a sine squared": (said("theta'' = -sin^2(theta)"), SWING, "d2theta/dt2 = -sin(theta)**2", NONE),
    "an inverse sine": (said("theta'' = -sin^{-1}(theta)"), SWING, REFUSED, NONE),
    "a sine of a product": (said("x'' = sin(2 t) - sin 2t"), SPRING, "d2x/dt2 = sin(2*t) - sin(2*t)", NONE),
    "cos omega t": (said("x'' = A cos ωt", '{"A": 1, "omega": 2}'), SPRING, "d2x/dt2 = A*cos(omega*t)", {"A": 1.0, "omega": 2.0}),
    "a sine of several": (said("x'' = sin k x", k1), SPRING, REFUSED, NONE),
    "ten to a power": (said("x'' = -2.5×10^{-3} x"), SPRING, "d2x/dt2 = -0.0025*x", NONE),
    "Greek with indices": (said("x'' = −ω₀²x − 2ζω₀ẋ", '{"omega0": 2, "zeta": 0.1}'), SPRING, "d2x/dt2 = -omega0**2*x - 2*zeta*omega0*vx", {"omega0": 2.0, "zeta": 0.1}),
    "an underscore more": (said("x'' = -omega_0**2*x", '{"omega0": 2}'), SPRING, "d2x/dt2 = -omega0**2*x", {"omega0": 2.0}),
    "a logistic law": (said("dhare/dt = r hare (1 - hare/K)\ndlynx/dt = -lynx", '{"r": 1, "K": 5}'), HUNT, "dhare/dt = r*hare*(1 - hare/K); dlynx/dt = -lynx", {"r": 1.0, "K": 5.0}),
    "a half": (said("x'' = -½ x"), SPRING, "d2x/dt2 = -(1/2)*x", NONE),
    # Notation of derivatives.
    "ddot by name": (said("x_ddot = -k*x - b*x_dot", kmb), SPRING, KB, KMB),
    "xddot": (said("xddot = -k*x - b*xdot", kmb), SPRING, KB, KMB),
    "ddot called": (said("ddot(x) = -k*x", k1), SPRING, K, K1),
    "diff": (said("diff(x(t), t, 2) = -k*x(t)", k1), SPRING, K, K1),
    "SymPy's Derivative": (said("Derivative(x(t), (t, 2)) = -k*x(t)", k1), SPRING, K, K1),
    "an operator": (said("d/dt(dx/dt) = -k*x", k1), SPRING, K, K1),
    "a squared rate": (said("x'' = -k*x - (dx/dt)^2", k1), SPRING, "d2x/dt2 = -k*x - vx**2", K1),
    "the size of a rate": (said("x'' = -k*x - |dx/dt|*dx/dt", k1), SPRING, "d2x/dt2 = -k*x - abs(vx)*vx", K1),
    "LaTeX with dots": (said(r"\ddot{x} + 2\zeta\omega_0\dot{x} + \omega_0^2 x = 0", '{"zeta": 0.1, "omega_0": 2}'), SPRING, "d2x/dt2 = -(2*zeta*omega_0*vx + omega_0**2*x)", {"zeta": 0.1, "omega_0": 2.0}),
    "LaTeX with left and right": (said(r"\frac{d^{2}y}{dt^{2}} = -g + k\left(\frac{dy}{dt}\right)^{2}", '{"g": 9.81, "k": 4}'), FALL, "d2y/dt2 = -g + k*vy**2", {"g": 9.81, "k": 4.0}),
    "LaTeX's upright d": (said(r"\frac{\mathrm{d}^2 x}{\mathrm{d}t^2} = -k x", k1), SPRING, K, K1),
    "LaTeX's partial": (said(r"\frac{\partial^2 x}{\partial t^2} = -k x", k1), SPRING, K, K1),
    "LaTeX's sine of a group": (said(r"\ddot{\theta} = -\frac{g}{L}\sin{\theta}", gl), SWING, P, GL),
    "LaTeX's sine without a group": (said(r"\ddot\theta = -\frac{g}{L}\sin\theta", gl), SWING, P, GL),
    "nested fractions": (said(r"\ddot{x} = -\frac{k}{\frac{m}{2}} x", km), SPRING, "d2x/dt2 = -(k/(m/2))*x", KM),
    "LaTeX's root": (said(r"\ddot{x} = -\sqrt{\frac{k}{m}} x", km), SPRING, "d2x/dt2 = -sqrt(k/m)*x", KM),
    "an unknown command": (said(r"\ddot{x} = -\oint x"), SPRING, REFUSED, NONE),
    "another variable": (said("d2z/dt2 = -k*z", k1), SPRING, REFUSED, NONE),
    "another order": (said("dx/dt = -k*x", k1), SPRING, REFUSED, NONE),
    "a derivative in parentheses": (said("-(d2x/dt2) = k*x", k1), SPRING, "d2x/dt2 = -(k*x)", K1),
    "a third derivative": (said("x''' = -k*x", k1), SPRING, REFUSED, NONE),
    "a third derivative on the right": (said("x'' = -k*x - x'''", k1), SPRING, REFUSED, NONE),
    # What no equation holds.
    "a percentage": (said("x'' = -x * 10%"), SPRING, REFUSED, NONE),
    "a factorial": (said("x'' = -x!"), SPRING, REFUSED, NONE),
    "a modulus": (said("x'' = -k*x mod 2", k1), SPRING, REFUSED, NONE),
    "an uncertainty": (said("x'' = -k*x ± 0.1", k1), SPRING, REFUSED, NONE),
    "an order of smallness": (said("x'' = -k*x + O(x^3)", k1), SPRING, REFUSED, NONE),
    "an ellipsis": (said("x'' = -k*x + ...", k1), SPRING, REFUSED, NONE),
    "a delay": (said("x'' = -k*x(t-1)", k1), SPRING, REFUSED, NONE),
    "an integral": (said(r"x'' = -\int x dt"), SPRING, REFUSED, NONE),
    "a mixed number": (said("x'' = -3 1/2 x"), SPRING, REFUSED, NONE),
    "operators as words": (said("d2x/dt2 = minus k times x", k1), SPRING, REFUSED, NONE),
    "a force in the chain": (said("F = m*x'' = -k*x", km), SPRING, "d2x/dt2 = -k*x/m", KM),
    "a proportion": (said("d2x/dt2 is proportional to -x"), SPRING, REFUSED, NONE),
    # Tool calls.
    "arguments as text": ('{"name": "submit", "arguments": "{\\"equation\\": \\"d2x/dt2 = -k*x\\", \\"params\\": {\\"k\\": 4}}"}', SPRING, K, K1),
    "a call's parameters": ('{"name": "submit", "parameters": {"equation": "d2x/dt2 = -k*x", "params": {"k": 4}}}', SPRING, K, K1),
    "a list of calls": ('{"tool_calls": [{"function": {"name": "submit", "arguments": "{\\"equation\\": \\"d2x/dt2 = -k*x\\", \\"params\\": {\\"k\\": 4}}"}}]}', SPRING, K, K1),
    "a Python call": ('submit_hypothesis(equation="d2x/dt2 = -k*x", params={"k": 4})', SPRING, K, K1),
    "a Python call in a list": ("[submit_hypothesis(equation='d2x/dt2 = -k*x', params={'k': 4})]", SPRING, K, K1),
    "a Python call with dict": ('submit(equation="d2x/dt2 = -k*x", params=dict(k=4))', SPRING, K, K1),
    "tags": ("<equation>d2x/dt2 = -k*x</equation>\n<params>{\"k\": 4}</params>", SPRING, K, K1),
    "parameter tags": ("<function=submit>\n<parameter=equation>\nd2x/dt2 = -k*x\n</parameter>\n<parameter=params>\n{\"k\": 4}\n</parameter>\n</function>", SPRING, K, K1),
    "named parameter tags": ('<invoke name="submit"><parameter name="equation">d2x/dt2 = -k*x</parameter><parameter name="params">{"k": 4}</parameter></invoke>', SPRING, K, K1),
    "quoted twice": ('"{\\"equation\\": \\"d2x/dt2 = -k*x\\", \\"params\\": {\\"k\\": 4}}"', SPRING, K, K1),
    "Mistral's calls": ('[TOOL_CALLS][{"name": "s", "arguments": {"equation": "d2x/dt2 = -k*x", "params": {"k": 4}}}]', SPRING, K, K1),
    "double braces": ('{{"equation": "d2x/dt2 = -k*x", "params": {"k": 4}}}', SPRING, K, K1),
    "the final channel": ('<|channel|>analysis<|message|>d2x/dt2 = -9*x?<|end|><|start|>assistant<|channel|>final<|message|>{"equation": "d2x/dt2 = -k*x", "params": {"k": 4}}<|return|>', SPRING, K, K1),
    "no final channel": ('<|channel|>analysis<|message|>d2x/dt2 = -9*x?', SPRING, "unfinished_thought", NONE),
    "an answer in an unfinished thought": ('<think>Say {"equation": "d2x/dt2 = -k*x", "params": {"k": 4}}? Hmm', SPRING, "unfinished_thought", NONE),
    "a mark in the rationale": ('{"equation": "d2x/dt2 = -k*x", "params": {"k": 4}, "rationale": "I <think> so"}', SPRING, K, K1),
    "thoughts in other marks": ('<|begin_of_thought|>d2x/dt2 = x<|end_of_thought|>{"equation": "d2x/dt2 = -k*x", "params": {"k": 4}}', SPRING, K, K1),
    # Prose.
    "prose with words after": ("The equation is d2y/dt2 = -g is a second order differential equation.", FALL, G, NONE),
    "prose with a unit": ("We have d2y/dt2 = -9.81 m/s^2 for this motion.", FALL, "d2y/dt2 = -9.81", NONE),
    "prose that denies another": ("d2y/dt2 = -9.81\n\nThe equation dy/dt = k*x is wrong.", FALL, "d2y/dt2 = -9.81", NONE),
    "prose that denies the law": ("The equation d2y/dt2 = k*y is wrong.", FALL, REFUSED, NONE),
    "prose that changes its mind": ("d2y/dt2 = -k*y is not correct. So d2y/dt2 = -9.81.", FALL, "d2y/dt2 = -9.81", NONE),
    "the last law in prose": ("First d2y/dt2 = -1. Better: d2y/dt2 = -9.81.", FALL, "d2y/dt2 = -9.81", NONE),
    "prose with a mass": ("By Newton, $m\\ddot{x} = -kx$ with $k = 4$ and $m = 2$.", SPRING, "d2x/dt2 = -(k*x)/m", KM),
    "prose with a helper": ("d2x/dt2 = -w*x\nwhere w = k/m, k = 4, m = 2", SPRING, "d2x/dt2 = -(k/m)*x", KM),
    "a list in prose": ("1. dhare/dt = 2*hare\n2. dlynx/dt = -lynx", HUNT, "dhare/dt = 2*hare; dlynx/dt = -lynx", NONE),
    "bullets in prose": ("- dhare/dt = 2*hare\n- dlynx/dt = -lynx", HUNT, "dhare/dt = 2*hare; dlynx/dt = -lynx", NONE),
    "one dash in prose": ("- d2x/dt2 = -4*x", SPRING, REFUSED, NONE),
    "bold prose with a power": ("**Law**: `d2x/dt2 = -4*x**3`, **done**", SPRING, "d2x/dt2 = -4*x**3", NONE),
    "a law over two lines": ("d2y/dt2 = -9.81\n    - 0.5*vy", FALL, "d2y/dt2 = -9.81 - 0.5*vy", NONE),
    "prose about energy": ("The energy E = 1/2*m*v**2 + k*x**2/2 is conserved.", SPRING, REFUSED, NONE),
    "a solution alone": ("x = A*cos(w*t) with A = 1 and w = 2", SPRING, REFUSED, NONE),
}  # fmt: skip

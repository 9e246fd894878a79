"""Laws broken on purpose, each with the words that its summary must contain.

The words are a regular expression: what a reader would have to be told to repair the law.
"""

from __future__ import annotations

from dataclasses import dataclass

from physix.engine.systems import sample_task
from physix.engine.systems.task import Task, Truth

SEEDS = (101, 102, 103)
NOISE = 0.02


@dataclass(frozen=True)
class Planted:
    system: str
    kind: str
    equation: str
    words: str
    scaled: tuple[tuple[str, float], ...] = ()  # params times a factor

    def params(self, truth: Truth) -> dict[str, float]:
        return {name: value * dict(self.scaled).get(name, 1.0) for name, value in truth.params.items()}

    def task(self, seed: int) -> tuple[Task, Truth]:
        return sample_task(self.system, seed, noise=NOISE)

    def __str__(self) -> str:
        return f"{self.system}: {self.kind}"


PENDULUM = "d2theta/dt2 = -(g/L)*sin(theta)"
SPRING = "d2x/dt2 = -(k/m)*x"
DRAG_X = "d2x/dt2 = -k*vx*sqrt(vx**2 + vy**2)"
DRAG_Y = "d2y/dt2 = -g - k*vy*sqrt(vx**2 + vy**2)"
FIELD_X = "d2x/dt2 = (q*B/m)*vy"
FIELD_Y = "d2y/dt2 = -(q*B/m)*vx"

PLANTED = (
    Planted("free_fall", "slope", "d2y/dt2 = -g", "too strong: 0.[78]", (("g", 1.3),)),
    Planted("free_fall", "slope", "d2y/dt2 = -g", "too weak: 1.[34]", (("g", 0.7),)),
    Planted("free_fall", "sign error", "d2y/dt2 = g", "sign"),
    Planted("free_fall", "damping excess", "d2y/dt2 = -g - 0.6*vy", "too much damping"),
    Planted("free_fall", "offset", "d2y/dt2 = 0*y", "constant"),
    Planted("free_fall_drag", "damping missing", "d2y/dt2 = -g", "damping is missing"),
    Planted("free_fall_drag", "damping excess", "d2y/dt2 = -g + k*vy**2", "too much damping", (("k", 3.0),)),
    Planted("free_fall_drag", "sign error", "d2y/dt2 = -g - k*vy**2", "sign"),
    Planted("free_fall_drag", "wrong asymptote", "d2y/dt2 = -g", "asymptote|levels off"),
    Planted("simple_pendulum", "period ratio", PENDULUM, r"period is 0\.8", (("g", 1.4),)),
    Planted("simple_pendulum", "period ratio", PENDULUM, r"period is 1\.[23]", (("g", 0.6),)),
    Planted("simple_pendulum", "sign error", "d2theta/dt2 = (g/L)*sin(theta)", "sign"),
    Planted("simple_pendulum", "damping excess", f"{PENDULUM} - 0.4*dtheta", "too much damping"),
    Planted("simple_pendulum", "offset", f"{PENDULUM} + 0.5*g/L", "0.5\\*g/L .*should not be there"),
    Planted("damped_pendulum", "damping missing", PENDULUM, "damping is missing"),
    Planted("damped_pendulum", "damping excess", f"{PENDULUM} - b*dtheta", "too much damping", (("b", 4.0),)),
    Planted("damped_pendulum", "sign error", f"{PENDULUM} + b*dtheta", "sign"),
    Planted("damped_pendulum", "period ratio", f"{PENDULUM} - b*dtheta", r"period is 0\.8", (("g", 1.4),)),
    Planted("spring_mass", "period ratio", SPRING, r"period is 0\.8", (("k", 1.4),)),
    Planted("spring_mass", "sign error", "d2x/dt2 = (k/m)*x", "sign"),
    Planted("spring_mass", "damping excess", f"{SPRING} - 0.5*vx", "too much damping"),
    Planted("spring_mass", "blow-up", f"{SPRING} + 3*vx", "runs away|blew up"),
    Planted("damped_spring", "damping missing", SPRING, "damping is missing"),
    Planted("damped_spring", "damping excess", f"{SPRING} - (b/m)*vx", "too much damping", (("b", 4.0),)),
    Planted("damped_spring", "sign error", f"{SPRING} + (b/m)*vx", "sign"),
    Planted("damped_spring", "period ratio", f"{SPRING} - (b/m)*vx", r"period is 0\.8", (("k", 1.4),)),
    Planted("projectile_drag", "damping missing", f"d2x/dt2 = 0; {DRAG_Y}", "damping is missing"),
    Planted("projectile_drag", "damping excess", f"{DRAG_X}; {DRAG_Y}", "too much damping", (("k", 3.0),)),
    Planted("projectile_drag", "slope", f"{DRAG_X}; {DRAG_Y}", "too strong: 0.[67]", (("g", 1.4),)),
    Planted("projectile_drag", "sign error", f"d2x/dt2 = k*vx*sqrt(vx**2 + vy**2); {DRAG_Y}", "sign"),
    Planted("charged_b_field", "coupling missing", f"{FIELD_X}; d2y/dt2 = 0", "coupling is missing"),
    Planted("charged_b_field", "sign error", f"d2x/dt2 = -(q*B/m)*vy; {FIELD_Y}", "sign"),
    Planted("charged_b_field", "period ratio", f"{FIELD_X}; {FIELD_Y}", r"period is 0\.7", (("B", 1.3),)),
    Planted("charged_b_field", "damping excess", f"{FIELD_X} - 0.8*vx; {FIELD_Y}", "too much damping"),
    Planted("simple_pendulum", "phase drift", PENDULUM, r"too strong: 0\.9|phase", (("g", 1.05),)),
    Planted("spring_mass", "phase drift", SPRING, r"too weak: 1\.0|phase", (("k", 0.95),)),
    Planted("free_fall_drag", "blow-up", "d2y/dt2 = -g - k*vy**2", "blew up|runs away", (("k", 4.0),)),
)  # fmt: skip

"""The oracle: plays the true law on a task of a split, against the server beside it.

    python validation/oracle.py [SPLIT INDEX]

It draws the truth from the split and `PHYSIX_EVAL_SALT`, so it belongs to the server's side of the
boundary: an agent has the server's address and nothing else. Prints one JSON object, and exits with 1
if the truth earns a hundredth less than a law of its length can.
"""

import json
import os
import sys

from physix import PhysiXAction, PhysiXEnv
from physix.api.openenv.graders import ceiling, oracle_action
from physix.engine.systems.splits import split_task
from physix.settings import Settings

TOLERANCE = 0.01


def main() -> None:
    """Play one turn and report it."""
    split, index = sys.argv[1:3] if len(sys.argv) == 3 else ("train", "0")
    _, truth = split_task(split, int(index), salt=Settings().eval_salt)
    with PhysiXEnv(base_url=os.environ.get("PHYSIX_URL", "http://127.0.0.1:8000")).sync() as env:
        env.reset(split=split, index=int(index), profile="classic")
        result = env.step(PhysiXAction(**oracle_action(truth)))
    most = ceiling(result.observation.reward_breakdown["simplicity"])
    sys.stdout.write(json.dumps({"reward": result.reward, "ceiling": most, "done": result.done}) + "\n")
    sys.exit(result.reward < most - TOLERANCE)


if __name__ == "__main__":
    main()

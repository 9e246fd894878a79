"""A scripted model through the Inspect task, offline: PHYSIX_URL names the server."""

import tempfile

from inspect_ai import eval as evaluate
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from physix_adapters.inspect import physix


def says(tool: str, **arguments: object) -> ModelOutput:
    """Return a reply that calls one tool."""
    output = ModelOutput.for_tool_call("mockllm/model", tool, arguments)
    output.usage = ModelUsage()  # otherwise its tokens are counted, with a tokenizer that is downloaded
    return output


script = [says("submit_hypothesis", equation="d2y/dt2 = -g", params={"g": g}) for g in (5.0, 10.0, 15.0)]
# Of two calls in one message the first counts.
script[0].message.tool_calls += says("submit_hypothesis", equation="d2y/dt2 = 0").message.tool_calls or []
silence = [ModelOutput.from_content("mockllm/model", "I have no better idea.") for _ in range(3)]
for output in silence:
    output.usage = ModelUsage()
model = get_model("mockllm/model", custom_outputs=[*script, *silence])
with tempfile.TemporaryDirectory() as folder:
    (log,) = evaluate(physix(split="train", limit=1), model=model, log_dir=folder, display="none")
    messages = [message.text for sample in log.samples or [] for message in sample.messages]
if log.results is None:
    raise SystemExit(str(log.error))
print("turned down", sum(text.startswith("Not judged") for text in messages))
print(log.status, "score", log.results.scores[0].metrics["mean"].value)

"""An OpenAI-compatible server whose model follows a script: what harnesses of others are run against."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "scripted"
SILENCE = "I have no better idea."


@dataclass(slots=True)
class Script:
    """What the model proposes, a message a turn: several equations in one are several calls of a tool."""

    messages: Sequence[Sequence[str]]
    asked: list[dict[str, Any]] = field(default_factory=list)  # every request, as it came

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the message that follows those of the request; silence after the last."""
        self.asked.append(request)
        said = sum(message["role"] == "assistant" for message in request["messages"])
        proposed = self.messages[said] if said < len(self.messages) else ()
        tool = _tool(request)
        if not proposed:
            return {"role": "assistant", "content": SILENCE}
        if tool is None:
            content = json.dumps({"equation": proposed[0], "params": {}, "rationale": "It falls."})
            return {"role": "assistant", "content": content}
        calls = [
            {
                "id": f"call_{said}_{number}",
                "type": "function",
                "function": {"name": tool, "arguments": json.dumps({"equation": equation, "params": {}})},
            }
            for number, equation in enumerate(proposed)
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls}


@contextmanager
def scripted_model(*messages: Sequence[str]) -> Iterator[tuple[str, Script]]:
    """Serve the script; yield its base URL (`.../v1`) and what it was asked."""
    script = Script(messages)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self.path.endswith("/chat/completions"):
                self._send(b"{}", "application/json", status=404)
                return
            message = script.reply(request)
            if request.get("stream"):
                self._stream(message)
            else:
                self._answer(_completion({"message": message}, bool(message.get("tool_calls"))))

        def _answer(self, body: dict[str, Any]) -> None:
            self._send(json.dumps(body).encode(), "application/json")

        def _stream(self, message: dict[str, Any]) -> None:
            calls = [{"index": n, **call} for n, call in enumerate(message.get("tool_calls", ()))]
            delta = message | ({"tool_calls": calls} if calls else {})
            chunk = _completion({"delta": delta}, bool(calls)) | {"object": "chat.completion.chunk"}
            self._send(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode(), "text/event-stream")

        def _send(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
            """Say nothing."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_address[1]}/v1", script
    finally:
        served.shutdown()
        served.server_close()
        thread.join()


def _tool(request: dict[str, Any]) -> str | None:
    names = [tool["function"]["name"] for tool in request.get("tools") or ()]
    return next((name for name in names if name.endswith("submit_hypothesis")), None)


def _completion(choice: dict[str, Any], calls: bool) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "tool_calls" if calls else "stop", **choice}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }

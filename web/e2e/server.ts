import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PYTHON = "../.venv/bin/python";

/** A server of a test's own, on a log that outlives it: it can be killed and started again. */
export class Server {
  readonly port = execFileSync(PYTHON, [
    "-c",
    "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], end='')",
  ]).toString();
  readonly url = `http://127.0.0.1:${this.port}`;
  /** What it writes: a log, boards; and the training runs that it shows, one folder each. */
  readonly folder = mkdtempSync(join(tmpdir(), "physix-"));
  private process: ChildProcess | null = null;

  async start(settings: Record<string, string> = {}): Promise<void> {
    const env = {
      ...process.env,
      PHYSIX_PORT: this.port,
      PHYSIX_DB: `sqlite:///${join(this.folder, "own.db")}`,
      PHYSIX_BOARDS: join(this.folder, "boards"),
      PHYSIX_RUNS: join(this.folder, "runs"),
      PHYSIX_MODELS: join(this.folder, "models"),
      ...settings,
    };
    this.process = spawn(PYTHON, ["-m", "physix.api.app"], { env, stdio: "ignore" });
    for (;;) {
      try {
        if ((await fetch(`${this.url}/health`)).ok) return;
      } catch {
        // Not yet.
      }
      await new Promise((done) => setTimeout(done, 200));
    }
  }

  /** As a power cut would: nothing is said, nothing is finished. */
  async kill(): Promise<void> {
    const gone = new Promise((done) => this.process?.once("exit", done));
    this.process?.kill("SIGKILL");
    await gone;
  }

  /** Starts an episode for a policy, which does not play yet, and returns its id. */
  async begun(policy: string, turns: number, system = "damped_pendulum"): Promise<string> {
    const { episode_id: id } = await this.post("/interactive/sessions", {
      system_id: system,
      seed: 7,
      policy,
      max_turns: turns,
    });
    return id;
  }

  /** Starts an episode, lets its policy play, and returns its id. */
  async played(policy: string, turns: number): Promise<string> {
    const id = await this.begun(policy, turns);
    await this.post(`/interactive/sessions/${id}/run`, {});
    return id;
  }

  async post(path: string, body: object) {
    const answer = await fetch(`${this.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  }
}

/** A language model's server that answers half a second later, always with the same law. */
export class SlowModel {
  private readonly server = createServer((request, response) => {
    request.resume();
    if (request.method === "GET") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ object: "list", data: [{ id: "slow", object: "model" }] }));
      return;
    }
    setTimeout(() => {
      const content = JSON.stringify({ equation: "d2theta/dt2 = -theta", params: {} });
      const head = { id: "0", object: "chat.completion.chunk", created: 0, model: "slow" };
      const part = (delta: object, finish_reason: string | null) =>
        `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
      response.setHeader("content-type", "text/event-stream");
      response.end(
        `${part({ role: "assistant", content }, null)}${part({}, "stop")}data: [DONE]\n\n`,
      );
    }, 500);
  });

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  start(): Promise<void> {
    return new Promise((done) => this.server.listen(0, "127.0.0.1", done));
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

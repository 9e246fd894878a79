import { cleanup, render } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { Coded } from "./Coded";
import { PolicyField } from "./PolicyField";

afterEach(cleanup);

it("sets what stands between backticks as code, and leaves a lone one as it is", () => {
  const { container } = render(<Coded text="Fetch it with `physix models pull x`, or `not." />);
  expect(container.innerHTML).toBe("Fetch it with <code>physix models pull x</code>, or `not.");
});

it("tells the command that makes a policy reachable once", () => {
  const policy = {
    name: "nobody",
    title: "Nobody",
    description: "",
    reachable: false,
    command: "physix models pull x",
    constants: "fitted" as const,
    is_default: false,
  };
  const shown = (reason: string) => {
    const policies = [{ ...policy, reason }];
    const { container } = render(
      <PolicyField label="Policy" policies={policies} value="nobody" onChange={() => {}} />,
    );
    const said = container.querySelector("p")?.textContent?.trim();
    cleanup();
    return said;
  };
  expect(shown("Not here: `physix models pull x`.")).toBe("Not here: physix models pull x.");
  expect(shown("Not here.")).toBe("Not here. physix models pull x");
});

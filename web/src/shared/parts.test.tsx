import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { answered, lost } from "../api/reach";
import { Part } from "./parts";

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function failing(message: string) {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const reload = vi.spyOn(window.location, "reload").mockImplementation(() => {});
  const Failing = () => {
    throw new Error(message);
  };
  render(
    <Part name="The board">
      <Failing />
    </Part>,
  );
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  return reload;
}

it.each([
  "Failed to fetch dynamically imported module: http://here/assets/Board.js",
  "error loading dynamically imported module",
  "Importing a module script failed.",
])("loads the page anew where a piece of it did not arrive: %s", (message) => {
  expect(failing(message)).toHaveBeenCalledOnce();
});

it("keeps the page where the server is away", () => {
  lost();
  expect(failing("Failed to fetch dynamically imported module: x")).not.toHaveBeenCalled();
  answered();
});

it("tries a part again by itself where it failed otherwise", () => {
  expect(failing("no such column")).not.toHaveBeenCalled();
});

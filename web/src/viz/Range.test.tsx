import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Range } from "./Range";

afterEach(cleanup);

it("stays where it was moved to until its value has arrived, and then follows its value", () => {
  const onChange = vi.fn();
  const { rerender } = render(
    <Range aria-label="Step" min={1} max={9} value={1} onChange={onChange} />,
  );
  const slider = screen.getByLabelText<HTMLInputElement>("Step");
  fireEvent.change(slider, { target: { value: "7" } });
  expect(onChange).toHaveBeenCalledExactlyOnceWith(7);
  expect(slider.value).toBe("7");
  rerender(<Range aria-label="Step" min={1} max={9} value={7} onChange={onChange} />);
  rerender(<Range aria-label="Step" min={1} max={9} value={3} onChange={onChange} />);
  expect(slider.value).toBe("3");
});

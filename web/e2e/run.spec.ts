import { expect, test } from "@playwright/test";

test("an episode runs to its end and a reload finds the same reward", async ({ page }) => {
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto("/run");
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByRole("status")).toHaveText("Complete");
  const reward = await page.getByTestId("reward").innerText();
  await page.reload();
  await expect(page.getByRole("status")).toHaveText("Complete");
  await expect(page.getByTestId("reward")).toHaveText(reward, { useInnerText: true });
  expect(errors).toEqual([]);
});

import { test as base, expect, type Page } from "@playwright/test";

/** Every test fails on an error in the console or a request to another origin. */
export const test = base.extend({
  page: async ({ page, baseURL }, use) => {
    const wrong: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" && !expected.has(page)) wrong.push(message.text());
    });
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol.startsWith("http") && origin !== baseURL) wrong.push(`asked ${request.url()}`);
    });
    await use(page);
    expect(wrong).toEqual([]);
  },
});

const expected = new WeakSet<Page>();

/** From here on the network is cut on purpose, and the browser says so. */
export const expectErrors = (page: Page) => expected.add(page);

/** Plays an episode to its end and returns its address. */
export async function played(page: Page, system = "damped_pendulum"): Promise<string> {
  await page.goto(`/run?system=${system}&seed=7`);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByText("Complete")).toBeVisible();
  return new URL(page.url()).pathname.replace("/run/", "");
}

export { expect };

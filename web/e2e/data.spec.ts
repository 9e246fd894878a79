import { readFileSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, expectErrors, test } from "./page";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** A stone that falls, with two velocities that say less than they seem to and noise of a sort. */
const STONE = [
  "frame;Zeit (s);Höhe (m);v",
  ...Array.from({ length: 60 }, (_, i) => {
    const t = i / 30;
    const noise = 0.004 * Math.sin(7919 * i);
    return `${i};${t.toFixed(4)};${(20 - 4.905 * t * t + noise).toFixed(5)};${(-9810 * t).toFixed(1)}`.replaceAll(
      ".",
      ",",
    );
  }),
].join("\n");

const bytes = (text: string, name = "stone.csv") => ({
  name,
  mimeType: "text/csv",
  buffer: Buffer.from(text),
});

async function accessible(page: Page) {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
    expect(violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
  }
}

test("a file dropped on any screen is looked at before anything runs, and every role can be said", async ({
  page,
}) => {
  await page.goto("/training");
  const transfer = await page.evaluateHandle((text) => {
    const made = new DataTransfer();
    made.items.add(new File([text], "stone.csv", { type: "text/csv" }));
    return made;
  }, STONE);
  await page.dispatchEvent("main", "dragover", { dataTransfer: transfer });
  await expect(page.getByText("Drop measurements to find their law")).toBeVisible();
  await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
  await expect(page.getByRole("heading", { level: 1, name: "Your data" })).toBeVisible();
  await expect(page.getByText("60 rows, parted by semicolons, decimal commas")).toBeVisible();
  await expect(page.getByLabel("Role of Zeit (s)")).toHaveValue("time");
  await expect(page.getByLabel("Role of frame")).toHaveValue("ignore");
  // The velocity that is a thousand times too large is told with what would be right.
  const found = page.getByRole("region", { name: "What was found" });
  await page.getByLabel("Role of v", { exact: true }).selectOption("rate");
  await page.getByLabel("Of which column v is the rate").selectOption("Hohe");
  await expect(found).toContainText("1000");
  await expect(found).toContainText("To decide first");
  await expect(page.getByRole("button", { name: "Find the law" })).toBeDisabled();
  await page.getByLabel("Unit of v").fill("mm/s");
  await page.getByLabel("Unit of v").press("Enter");
  await expect(page.getByRole("img", { name: /^v over time/ })).toBeVisible();
  await page.getByLabel("Role of v", { exact: true }).selectOption("ignore");
  await expect(page.getByText("rate of change, estimated")).toBeVisible();
  await page.getByLabel("Order of Höhe (m)").selectOption("1");
  await expect(page.getByText("rate of change, estimated")).toHaveCount(0);
  await page.getByRole("button", { name: "As it was proposed" }).click();
  // What is held back is said in rows, and a second file takes its place.
  await page.getByLabel(/Held back/).fill("0.5");
  await expect(page.getByText("30 rows shown, 30 held back")).toBeVisible();
  await page.getByLabel(/Or a second file/).setInputFiles(bytes(STONE, "second.csv"));
  await expect(page.getByText("60 rows shown, 60 held back")).toBeVisible();
  await page.getByText("Rules").click();
  for (const option of ["Turn budget", "Solved when", "Constants that", "Functions", "Reward"])
    await expect(page.getByLabel(option)).toBeVisible();
  await accessible(page);
});

test("what is no table is refused in words, and what is wrong with a table stands at its line", async ({
  page,
}) => {
  expectErrors(page);
  await page.goto("/data");
  await page
    .getByLabel("Or paste a table")
    .fill(`height,weather\n${"1,sun\n3,rain\n2,sun\n".repeat(5)}`);
  await page.getByRole("button", { name: "Look at it" }).click();
  await expect(page.getByRole("alert")).toContainText("Only one column of numbers");
  await page.getByRole("button", { name: "Another file" }).click();
  const wrong = STONE.replace(/\n30;1,0000;[^;]*/, "\n30;1,0000;abc");
  await page.getByLabel(/A file/).setInputFiles(bytes(wrong));
  await expect(page.getByRole("region", { name: "What was found" })).toContainText(
    "32: 30;1,0000;abc",
  );
});

test("whatever is dropped is answered in words, and another file can be taken", async ({
  page,
}) => {
  expectErrors(page);
  const noise = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 7919) % 256));
  const files: [string, Buffer, RegExp][] = [
    ["empty.csv", Buffer.alloc(0), /The file is empty/],
    ["photo.png", Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), noise]), /a picture/],
    ["book.xlsx", Buffer.concat([Buffer.from("PK\x03\x04"), noise]), /save the sheet as CSV/],
    ["page.html", Buffer.from("<script>document.title = 'taken'</script>"), /no numbers/],
    ["one.csv", Buffer.from("t,x\n1,2\n"), /To decide first/],
    ["large.csv", Buffer.alloc(6_100_000, "1,2\n"), /6\.1 MB; the page takes up to 6/],
  ];
  await page.goto("/data");
  for (const [name, buffer, answer] of files) {
    await page.getByLabel(/A file/).setInputFiles({ name, mimeType: "text/csv", buffer });
    await expect(page.getByText(answer).first(), name).toBeVisible();
    await expect(
      page.getByRole("button", { name: "Find the law" }).and(page.locator(":enabled")),
    ).toHaveCount(0);
    await page.getByRole("button", { name: "Another file" }).click();
  }
  await expect(page).not.toHaveTitle(/taken/);
  await page.getByLabel(/A file/).setInputFiles(bytes(STONE));
  await expect(page.getByText("60 rows, parted by semicolons, decimal commas")).toBeVisible();
});

test("what is said of a column stands at once on a slow line, and is taken back as a whole", async ({
  page,
}) => {
  await page.goto("/data");
  await page.getByLabel(/A file/).setInputFiles(bytes(STONE));
  await expect(page.getByLabel("Role of v", { exact: true })).toBeVisible();
  const unit = page.getByLabel("Unit of v");
  const before = await unit.inputValue();
  let answer = () => {};
  const held = new Promise<void>((done) => {
    answer = done;
  });
  await page.route("**/api/csv/check", async (route) => {
    await held;
    await route.continue();
  });
  await unit.fill("mm/s");
  await unit.press("Enter");
  await page.getByLabel("Role of v", { exact: true }).selectOption("input");
  await expect(page.getByLabel("Role of v", { exact: true })).toHaveValue("input");
  await expect(page.getByRole("button", { name: "Find the law" })).toBeDisabled();
  answer();
  await expect(page.getByRole("img", { name: /^v over time/ })).toBeVisible();
  await expect(unit).toHaveValue("mm/s");
  await page.getByRole("button", { name: "As it was proposed" }).click();
  await expect(unit).toHaveValue(before);
});

test("the bench lays out laws, residuals and what is not known, and hands all of it out", async ({
  page,
}) => {
  await page.goto("/data");
  await page.getByLabel(/A file/).setInputFiles(bytes(STONE));
  await page.getByLabel("Role of v", { exact: true }).selectOption("ignore");
  await page.getByLabel("Title").fill("A stone");
  await page.getByLabel("What moves").fill("A stone falls.");
  await page.getByRole("button", { name: "Find the law" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Bench" })).toBeVisible();
  await expect(page.getByText("Complete")).toBeVisible();
  await expect(page.getByText("Solved")).toBeVisible();
  const law = page.getByRole("region", { name: "The law", exact: true });
  await expect(law).toContainText(/[−-]?9\.8\d* ± 0\.0/);
  await expect(law).toContainText("On what was held back R² is");
  await expect(page.getByRole("region", { name: "What the data cannot tell" })).toBeVisible();
  const left = page.getByRole("region", { name: "What is left over" });
  for (const name of [/over time: the largest/, /^Autocorrelation/, /^Quantiles/, /against Hohe/])
    await expect(left.getByRole("img", { name })).toBeVisible();
  // Each law of the front is a press away, and the address holds it.
  await page.getByRole("radio").first().click();
  await page.getByRole("radio").first().press("ArrowDown");
  await expect(page).toHaveURL(/law=/);
  await page.reload();
  await expect(page.getByRole("radio", { checked: true })).toHaveCount(1);
  // A law of one's own, in one's own notation: its constants with errors, its verdict, and what it lacks.
  const own = page.getByRole("form", { name: "Fit your own law" });
  await own.getByLabel("Law").fill("Hohe'' = -k*Hohe");
  await own.getByRole("button", { name: "Fit" }).click();
  const mine = page.getByRole("radio", { name: /, yours/ });
  await expect(mine).toBeChecked();
  await expect(law).toContainText("Not solved");
  await expect(law).toContainText("Missing:");
  await expect(law.getByRole("row", { name: /^k / })).toContainText("±");
  await expect(page.getByRole("heading", { name: "Your law 1 on the data" })).toBeVisible();
  // It is there again on the next visit, and what the others leave over is told in the same units.
  await page.reload();
  await expect(mine).toBeChecked();
  const chosen = page.getByRole("radio", { name: /, chosen/ });
  await chosen.click();
  const chi2 = (/χ² ([\d.]+)/.exec(await chosen.innerText()) ?? [])[1];
  await expect(page.getByRole("region", { name: "What is left over" })).toContainText(
    `χ² is ${chi2} a sample`,
  );
  await mine.click();
  await page.getByRole("radio").first().click();
  await expect(mine).not.toBeChecked();
  await mine.click();
  await expect(law).toContainText("Missing:");
  await accessible(page);
  const saved = async (item: string) => {
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: item }).click(),
    ]);
    return readFileSync(await file.path(), "utf8");
  };
  const svg = await saved("Figures as SVG");
  for (const said of ["A stone", "measured", "d2Hohe/dt2", "episode ", "held back"])
    expect(svg).toContain(said);
  expect(svg).not.toContain("var(");
  expect((await saved("Figures as PNG")).slice(0, 8)).toContain("PNG");
  const table = (await saved("All rows as CSV")).trim().split("\n");
  expect(table).toHaveLength(61);
  expect(table[0]).toContain("Hohe,Hohe_law,Hohe_residual_sigma");
  const notebook = JSON.parse(await saved("Notebook"));
  expect(notebook.nbformat).toBe(4);
  expect(JSON.stringify(notebook)).toContain("odeint");
  await page.getByRole("link", { name: "Transcript" }).click();
  await expect(page.getByText(/^turn 1$/)).toBeVisible();
  await page.getByText(/^turn 1$/).click();
  await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
  await accessible(page);
});

/**
 * Lets a page load as over a slow line: 50 kB a second each way, and 100 ms until an answer begins.
 * @param {import("@playwright/test").Page} page
 */
export async function slowLine(page) {
  const line = await page.context().newCDPSession(page);
  await line.send("Network.enable");
  await line.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 100,
    downloadThroughput: 50_000,
    uploadThroughput: 50_000,
  });
}

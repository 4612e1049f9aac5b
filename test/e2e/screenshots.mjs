// Pictures of every page, in both themes. Usage: node screenshots.mjs BATON DIRECTORY
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { startBrowser, startServer } from "./baton.mjs";
import * as flows from "./flows.mjs";

const [binary = "build/baton", dir = "build/screenshots"] = process.argv.slice(2);
mkdirSync(dir, { recursive: true });
const server = await startServer(resolve(binary));
const browser = await startBrowser();

async function fill() {
  for (const source of [flows.loop, flows.failing, flows.slow, flows.allInputs, flows.fanOut, flows.conditional, flows.measured("/"),
    flows.hello("sync-stock", "shop.orders", "{team: orders}"), flows.hello("rotate-keys", "ops", "{tier: gold}"),
    flows.hello("warm-caches", "shop.web")]) await server.push(source);
  const all = [["shop.orders", "sync-stock"], ["ops", "rotate-keys"], ["shop.web", "warm-caches"], ["shop.reports", "nightly-report"]];
  for (let round = 0; round < 9; round++)
    for (const [namespace, id] of all.slice(0, round % 3 === 0 ? 4 : 3)) await server.run(namespace, id, {}, "?wait=true&labels=run:nightly");
  const loop = await server.run("shop.reports", "nightly-report", {}, "?wait=true&labels=run:nightly");
  for (let round = 0; round < 2; round++) await server.run("shop.orders", "import-orders", {}, "?wait=true");
  const failed = await server.run("shop.orders", "import-orders", {}, "?wait=true&labels=run:nightly");
  const fan = await server.run("shop.media", "thumbnails", {}, "?wait=true");
  const measured = await server.run("shop.orders", "load-orders", {}, "?wait=true");
  const live = await server.run("ops", "backup");
  return { loop, failed, fan, live, measured };
}

async function shoot(theme, width, suffix, pages) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: theme });
  page.on("pageerror", (error) => console.error(`${suffix}: ${error}`));
  page.on("console", (message) => { if (message.type() === "error") console.error(`${suffix}: ${message.text()}`); });
  for (const [name, path, act] of pages) {
    await page.goto(`${server.address}/ui/${path}`);
    await page.waitForTimeout(500);
    await act?.(page);
    await page.screenshot({ path: `${dir}/${name}-${suffix}.png` });
  }
  await page.close();
}

try {
  await shoot("light", 1440, "light", [["empty-flows", "flows"], ["empty-executions", "executions"]]);
  const { loop, failed, fan, live, measured } = await fill();
  const at = ({ namespace, flowId, id }) => `executions/${namespace}/${flowId}/${id}`;
  const pages = [
    ["flows", "flows"],
    ["executions", "executions"],
    ["executions-filter", "executions?labels=run:nightly&startDate=2020-01-01T00:00:00Z", async (page) => {
      await page.locator("[data-filter=line]").pressSequentially("orders state:");
      await page.getByRole("option").first().waitFor();
    }],
    ["executions-bulk", "executions", async (page) => {
      for (const at of [1, 2, 4]) await page.locator("tbody input[type=checkbox]").nth(at).check();
    }],
    ["executions-bulk-delete", "executions?state=SUCCESS", async (page) => {
      await page.locator("thead input[type=checkbox]").check();
      await page.getByRole("toolbar").getByRole("button", { name: "Delete…" }).click();
      await page.locator("dialog .danger").waitFor();
    }],
    ["flow", "flows/shop.reports/nightly-report"],
    ["run", "flows/demo/every-input?run=1"],
    ["run-wrong", "flows/shop.web/deploy?run=1", async (page) => {
      await page.locator("dialog [data-input=where]").selectOption("production");
      await page.locator("dialog [data-input=copies]").fill("12");
      await page.locator("dialog [data-input=contact]").fill("nobody");
      await page.keyboard.press("Control+Enter");
      await page.locator("dialog .problem").nth(2).waitFor();
    }],
    ["execution", at(loop)],
    ["execution-failed", at(failed)],
    ["execution-live", at(live)],
    ["execution-loop", at(fan)],
    ["execution-outputs", `${at(loop)}?tab=outputs`],
    ["execution-metrics", `${at(measured)}?tab=metrics`],
    ["execution-more", at(loop), (page) => page.keyboard.press(".")],
    ["execution-labels", at(loop), async (page) => {
      await page.keyboard.press(".");
      await page.keyboard.press("Enter");
      await page.locator("dialog [data-label=key]").last().waitFor();
    }],
    ["execution-delete", at(loop), async (page) => {
      await page.getByRole("button", { name: "More", exact: true }).click();
      await page.getByRole("menuitem", { name: "Delete…" }).click();
    }],
    ["execution-source", `${at(failed)}?tab=source`],
    ["palette", "flows", async (page) => {
      await page.keyboard.press("Control+k");
      await page.keyboard.type("or");
      await page.waitForTimeout(400);
    }],
  ];
  await shoot("light", 1440, "light", pages);
  await shoot("dark", 1440, "dark", pages);
  await shoot("light", 820, "narrow", pages.filter(([name]) => !/-/.test(name) || name === "execution-live"));
  await server.call(`executions/${live.id}/kill`, { method: "DELETE" });
} finally {
  await browser.close();
  await server.stop();
}
console.log(`pictures in ${dir}`);

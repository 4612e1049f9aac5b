// The page in a real Chromium against a real server, as a person uses it.
// Usage: node run.mjs BATON [NAME…]
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { startBrowser, startProxy, startServer } from "./baton.mjs";
import * as flows from "./flows.mjs";

const [binary = "build/baton", ...names] = process.argv.slice(2);
const tests = [];
const test = (name, body) => tests.push({ name, body });
const stateOf = (page, state, timeout = 15000) => page.waitForSelector(`header [data-state=${state}]`, { timeout });
const at = ({ namespace, flowId, id }, query = "") => `executions/${namespace}/${flowId}/${id}${query}`;

test("an empty server teaches, and its example runs", async ({ page, go }) => {
  await go("");
  await page.getByText("No flows yet").waitFor();
  assert.match(page.url(), /\/ui\/flows$/);
  await page.locator("[data-example=hello]").click();
  await page.locator("dialog [data-input=who]").fill("stranger");
  await page.getByRole("button", { name: "Run", exact: true }).last().click();
  await stateOf(page, "SUCCESS");
  await page.getByText("Hello stranger, from").waitFor();
});

test("a flow is run through the dialog and watched to its end", async ({ page, go, server }) => {
  await server.push(flows.gatedLoop(server.gate));
  await go("flows");
  await page.getByRole("link", { name: "nightly-report" }).click();
  await page.getByText("Collects orders from every region").first().waitFor();
  assert.equal(await page.locator("pre .expression").first().textContent(), "{{ taskrun.value }}");
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator("dialog [data-input=day]").fill("2026-04-05");
  await page.locator("dialog [data-input=labels]").fill("reason:test");
  await page.keyboard.press("Control+Enter");
  await stateOf(page, "RUNNING"); // Seen while it runs: the page does not only load the end.
  await page.waitForSelector("[data-live=live]");
  await page.waitForSelector("[data-task=regions][data-run-state=RUNNING]");
  await page.waitForSelector("[data-task=load][data-run-state=SUCCESS]");
  server.openGate();
  await stateOf(page, "SUCCESS");
  await page.waitForSelector("[data-task=summary][data-run-state=SUCCESS]");
  await page.getByText("Report for 2026-04-05 is out: 1204 rows").waitFor();
  assert.equal(await page.locator("[role=treeitem]").count(), 14);
  assert.equal(await page.locator(".lines .fg2").textContent(), "ok");
  assert.equal(await page.locator(".lines .line").count(), 13, "each line once");
  await page.getByText("reason", { exact: true }).waitFor();
  // One task: its logs and outputs, in the address.
  await page.locator("[data-task=collect]").click();
  assert.equal(await page.locator(".lines .line").count(), 2);
  await page.locator("[data-tab=outputs]").click();
  await page.locator(".key", { hasText: "regions" }).waitFor();
  assert.match(page.url(), /run=.+&tab=outputs/);
  await page.reload();
  await page.getByText("Outputs of collect").waitFor();
});

test("a failed one opens on what failed", async ({ page, go, server }) => {
  await server.push(flows.failing);
  const failed = await server.run("shop.orders", "import-orders", {}, "?wait=true");
  await go(at(failed));
  await page.getByText("verify failed").waitFor();
  await page.getByText("orders-2.csv: expected 8812, found 8790").waitFor();
  assert.equal(await page.locator("[aria-selected=true]").getAttribute("data-task"), "verify");
  await page.getByRole("link", { name: /line 11/ }).click();
  assert.match(await page.locator("pre .marked").textContent(), /id: verify/);
  // Again: the dialog of the same flow.
  await page.getByRole("link", { name: "Run again" }).click();
  await page.getByText("Run import-orders again").waitFor();
});

test("a running one is killed", async ({ page, go, server }) => {
  await server.push(flows.slow);
  const running = await server.run("ops", "backup");
  await go(at(running));
  await page.getByText(/step \d+ of 400/).first().waitFor();
  await page.getByRole("button", { name: "Kill" }).click();
  await page.getByText("1 task is under way and will be ended", { exact: false }).waitFor();
  await page.locator("dialog").getByRole("button", { name: "Kill" }).click();
  await stateOf(page, "KILLED");
  assert.equal(await page.getByRole("button", { name: "Kill" }).count(), 0);
});

test("labels are changed and an execution is deleted, by the keyboard", async ({ page, go, server }) => {
  await server.push(flows.hello("quick", "team.a", "{tier: gold}"));
  const done = await server.run("team.a", "quick", {}, "?wait=true&labels=env:prod");
  await go(at(done));
  await stateOf(page, "SUCCESS");
  await page.keyboard.press(".");
  await page.waitForFunction(() => document.activeElement?.textContent.includes("Labels…"));
  await page.keyboard.press("Enter");
  await page.locator("dialog [data-label=env]").fill("test");
  await page.locator("dialog [data-label=key]").last().fill("team");
  await page.keyboard.press("Enter");
  await page.getByText("The label team has no value").waitFor();
  await page.locator("dialog [data-label=team]").fill("data");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector("dialog"));
  await page.locator("header dd").getByTitle("team:data").waitFor();
  await page.locator("header dd").getByTitle("env:test").waitFor();
  const { labels } = await server.call(`executions/${done.id}`);
  const own = Object.fromEntries(labels.map(({ key, value }) => [key, value]));
  assert.deepEqual([own.env, own.team, own.tier], ["test", "data", "gold"]);
  await page.keyboard.press(".");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByText(`1 execution, ${done.id} of team.a/quick, goes for good`).waitFor();
  await page.locator("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("Nothing has run yet").waitFor();
  assert.match(page.url(), /\/executions$/);
  assert.equal((await server.call("executions/search")).total, 0);
  // One that runs: labels wait for its end, a delete kills it; whoever looks at it is told.
  await server.push(flows.slow);
  const running = await server.run("ops", "backup");
  await go(at(running));
  await page.waitForSelector("[data-live=live]");
  await stateOf(page, "RUNNING");
  await page.getByRole("button", { name: "More", exact: true }).click();
  assert.equal(await page.getByRole("menuitem", { name: "Labels…" }).getAttribute("aria-disabled"), "true");
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await page.getByText("It has not ended: it is killed first.").waitFor();
  await page.keyboard.press("Escape");
  await server.call(`executions/${running.id}`, { method: "DELETE" });
  await page.getByText("This execution has been deleted").waitFor();
  assert.equal(await page.getByRole("button", { name: "More", exact: true }).count(), 0);
});

test("inputs of every type are sent, refusals stand at their field", async ({ page, go, server }) => {
  await server.push(flows.allInputs);
  await go("flows/demo/every-input?run=1");
  const field = (id) => page.locator(`dialog [data-input=${id}]`);
  const start = () => page.locator("dialog").getByRole("button", { name: "Run", exact: true }).last().click();
  await start();
  await page.getByText("This is required").first().waitFor();
  const texts = {
    name: "ada", count: "11", at: "2026-03-01T10:00:05", day: "2026-03-02", hour: "18:27:09", pause: "1h 30m",
    settings: '{"a": [1, 2]}', extra: "b: 3", numbers: "4\n5", link: "https://example.com/x", mail: "a@b.co",
  };
  for (const [id, text] of Object.entries(texts)) await field(id).fill(text);
  await field("size").selectOption("large");
  await page.locator("dialog [data-input=fast][value=false]").check();
  await page.locator("dialog [data-input=colours][value=green]").check();
  await page.locator("dialog [data-input=colours][value=blue]").check();
  await field("data").setInputFiles({ name: "data.txt", mimeType: "text/plain", buffer: Buffer.from("content") });
  await start();
  const problem = page.locator("dialog .problem");
  await problem.waitFor();
  assert.match(await problem.textContent(), /it must be less than `10`/i);
  await page.waitForFunction(() => document.activeElement?.getAttribute("data-input") === "count");
  await field("count").fill("7");
  await start();
  await stateOf(page, "SUCCESS");
  const id = /([^/?]+)(\?|$)/.exec(page.url())[1];
  const { inputs } = await server.call(`executions/${id}`);
  const { at: when, data, token, ...others } = inputs;
  assert.equal(token, null);
  assert.equal(new Date(when).getTime(), new Date("2026-03-01T10:00:05").getTime());
  assert.match(data, /data\.txt$|data/);
  assert.deepEqual(others, {
    name: "ada", count: 7, ratio: 0.5, fast: false, size: "large", speed: "quick", colours: ["green", "blue"], day: "2026-03-02",
    hour: "18:27:09", pause: others.pause, settings: { a: [1, 2] }, extra: { b: 3 }, numbers: [4, 5], link: "https://example.com/x", mail: "a@b.co",
  });
  // Started again: the form begins with these.
  await page.getByRole("link", { name: "Run again" }).click();
  await page.waitForSelector("dialog [data-input=name]");
  assert.equal(await field("name").inputValue(), "ada");
  assert.equal(await field("numbers").inputValue(), "4\n5");
  assert.equal(await field("at").inputValue(), "2026-03-01T10:00:05");
});

test("what is wrong stands at each field before anything is started", async ({ page, go, server }) => {
  await server.push(flows.conditional);
  const asked = [];
  page.on("request", (request) => { if (request.method() === "POST" && request.url().includes("/executions/shop")) asked.push(request.url().replace(/.*\//, "")); });
  await go("flows/shop.web/deploy?run=1");
  const field = (id) => page.locator(`dialog [data-input=${id}]`);
  const problems = () => page.locator("dialog .problem").allTextContents();
  await field("copies").waitFor();
  assert.equal(await field("reason").count(), 0, "not asked for");
  await field("where").selectOption("production");
  await field("reason").waitFor();
  await field("copies").fill("12"); // Left: it is told at once; the others are left in peace.
  const before = await field("contact").boundingBox();
  await field("contact").focus();
  await page.locator("dialog .problem").waitFor();
  assert.match((await problems()).join("|"), /^It must be less than `9`[^|]*$/);
  assert.equal((await field("contact").boundingBox()).y, before.y, "nothing moves");
  await field("contact").fill("nobody");
  await field("reason").fill("because");
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => document.querySelectorAll("dialog .problem").length === 3);
  assert.ok(asked.every((name) => name.startsWith("validate")), asked.join());
  assert.equal((await server.call("executions/search")).total, 0);
  await page.waitForFunction(() => document.activeElement?.dataset.input === "reason");
  await field("where").selectOption("test"); // Then the reason does not matter.
  await page.waitForFunction(() => document.querySelectorAll("dialog .problem").length === 2);
  assert.equal(await field("reason").count(), 0);
  await field("copies").fill("3");
  await field("contact").fill("a@b.co");
  await page.keyboard.press("Control+Enter");
  await stateOf(page, "SUCCESS");
  const [made] = (await server.call("executions/search")).results;
  assert.deepEqual(made.inputs, { where: "test", copies: 3, contact: "a@b.co" });
});

test("lists: filters in the address, new rows announced, states live", async ({ page, go, server }) => {
  await server.push(flows.hello("quick", "team.a"));
  await server.push(flows.failing);
  await server.run("team.a", "quick", {}, "?wait=true");
  await server.run("shop.orders", "import-orders", {}, "?wait=true");
  await go("executions");
  await page.waitForSelector("[data-live=live]");
  assert.equal(await page.locator("tbody tr").count(), 2);
  await page.locator("summary").click();
  await page.getByRole("checkbox", { name: "Failed" }).check();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.match(page.url(), /state=FAILED/);
  await page.keyboard.press("Escape");
  await page.goBack();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 2);
  await page.getByLabel("Namespace", { exact: true }).selectOption("team.a");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await server.run("shop.orders", "import-orders", {}, "?wait=true"); // Not of this filter.
  for (let i = 0; i < 3; i++) await server.run("team.a", "quick", {}, "?wait=true");
  await page.getByRole("button", { name: "3 new" }).click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 4);
  assert.equal(await page.getByRole("button", { name: /new/ }).count(), 0);
  await page.getByRole("button", { name: "Started" }).click();
  assert.match(page.url(), /sort=state\.startDate:asc/);
  await server.push(flows.slow);
  await go("executions?namespace=ops");
  await page.getByText("No execution matches").waitFor();
  const running = await server.run("ops", "backup");
  await go("executions?namespace=ops");
  await page.waitForSelector("tbody [data-state=RUNNING]");
  await server.call(`executions/${running.id}/kill`, { method: "DELETE" });
  await page.waitForSelector("tbody [data-state=KILLED]");
});

test("executions are found by text, labels and time; the line completes itself", async ({ page, go, server }) => {
  await server.push(flows.hello("quick", "team.a"));
  await server.push(flows.failing);
  const good = await server.run("team.a", "quick", {}, "?wait=true&labels=env:prod");
  await server.run("team.a", "quick", {}, "?wait=true&labels=env:test");
  await server.run("shop.orders", "import-orders", {}, "?wait=true&labels=env:prod");
  const rows = (count) => page.waitForFunction((want) => document.querySelectorAll("tbody tr").length === want, count);
  const line = page.locator("[data-filter=line]");
  const asked = [];
  page.on("request", (request) => { if (request.url().includes("/executions/search")) asked.push(new URL(request.url())); });
  await go("executions");
  await rows(3);
  await line.pressSequentially("import");
  await rows(1);
  assert.match(page.url(), /q=import/);
  await line.fill("");
  await rows(3);
  await line.pressSequentially("la");
  await page.getByRole("option", { name: "label:" }).waitFor();
  await page.keyboard.press("Tab");
  await page.getByRole("option", { name: "label:env=test" }).waitFor();
  await line.pressSequentially("prod");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await rows(2);
  assert.match(page.url(), /labels=env:prod/);
  assert.equal(await line.inputValue(), "");
  await line.pressSequentially("state:success ");
  await rows(1);
  assert.match(page.url(), /state=SUCCESS/);
  await page.reload(); // All of it is in the address.
  await rows(1);
  await page.getByText(good.id).waitFor();
  await line.pressSequentially("started:1h ");
  await page.waitForFunction(() => location.search.includes("range=1h"));
  await rows(1);
  assert.equal(asked.at(-1).searchParams.get("timeRange"), "PT1H");
  assert.equal(asked.at(-1).searchParams.get("light"), "true");
  await page.getByRole("button", { name: "Take env:prod out of the filter" }).click();
  await rows(2);
  await page.getByLabel("Started", { exact: true }).selectOption("custom");
  await page.getByLabel("From").waitFor();
  await page.getByLabel("to", { exact: true }).fill("2020-01-01T00:00:01");
  await page.getByLabel("to", { exact: true }).blur();
  await page.getByText("startDate is after endDate").waitFor();
  await page.getByLabel("From").fill("2019-01-01T00:00:01");
  await page.getByLabel("From").blur();
  await page.getByText("No execution matches").waitFor();
  await page.getByRole("link", { name: "Clear the filters" }).click();
  await rows(3);
});

test("many at once: chosen rows, and all that match", async ({ page, go, server }) => {
  await server.push(flows.hello("quick", "team.a"));
  await server.push(flows.hello("other", "team.b"));
  await server.push(flows.slow);
  for (let i = 0; i < 57; i++) await server.run("team.a", "quick", {}, i < 56 ? "" : "?wait=true");
  await server.run("team.b", "other", {}, "?wait=true");
  const running = [await server.run("ops", "backup"), await server.run("ops", "backup")];
  await go("executions");
  const box = (id) => page.getByRole("checkbox", { name: `Choose ${id}` });
  const bar = page.getByRole("toolbar");
  const dialog = page.locator("dialog");
  const total = async (query = "") => (await server.call(`executions/search${query}`)).total;
  const button = (name) => bar.getByRole("button", { name });
  // Rows that are chosen: each act takes those that can take it.
  await box(running[0].id).check();
  assert.equal(await button("Delete…").isDisabled(), true);
  const ids = await page.locator("tbody tr a.mono").allTextContents();
  await box(ids[4]).click({ modifiers: ["Shift"] });
  await bar.getByText(`${Math.abs(4 - ids.indexOf(running[0].id)) + 1} chosen`).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await bar.count(), 0);
  for (const id of [...running.map((row) => row.id), ids[3]]) await box(id).check();
  await bar.getByText("3 chosen").waitFor();
  await button("Kill…").click();
  await dialog.getByText("Kill 2 executions?").waitFor();
  await dialog.getByText("1 other has ended already and stays as it is.").waitFor();
  await dialog.getByRole("button", { name: "Kill 2" }).click();
  for (const { id } of running) await page.locator("tr", { hasText: id }).locator("[data-state=KILLED]").waitFor();
  assert.equal(await bar.count(), 0);
  for (const id of ids.slice(2, 4)) await box(id).check();
  await button("Labels…").click();
  await dialog.getByText("Labels of 2 executions").waitFor();
  await dialog.locator("[data-label=key]").fill("reviewed");
  await dialog.locator("[data-label=reviewed]").fill("yes");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => [...document.querySelectorAll("tbody tr")].filter((row) => row.textContent.includes("reviewed")).length === 2);
  assert.equal(await total("?labels=reviewed:yes"), 2);
  // All that match, with a filter and without one.
  await go("executions?namespace=team.a");
  await page.getByText("of 57").waitFor();
  await page.getByRole("checkbox", { name: "Choose all of this page" }).check();
  await bar.getByText("50 chosen").waitFor();
  await bar.getByText("Choose all 57 that match").click();
  await button("Labels…").click();
  await dialog.getByText("Labels of 57 executions").waitFor();
  await dialog.locator("[data-label=key]").fill("batch");
  await dialog.locator("[data-label=batch]").fill("1");
  await dialog.getByRole("button", { name: "Save the labels" }).click();
  await page.waitForFunction(() => !document.querySelector("dialog"));
  assert.equal(await total("?labels=batch:1"), 57);
  await page.getByRole("checkbox", { name: "Choose all of this page" }).check();
  await bar.getByText("Choose all 57 that match").click();
  await button("Kill…").click();
  await dialog.getByText("there is nothing to kill").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await button("Delete…").click();
  await dialog.getByText("57 executions go for good").waitFor();
  await dialog.getByRole("button", { name: "Delete 57" }).click();
  await page.getByText("No execution matches").waitFor();
  assert.equal(await total(), 3);
  await go("executions");
  await page.getByRole("checkbox", { name: "Choose all of this page" }).check();
  await button("Delete…").click();
  await dialog.getByRole("button", { name: "Delete 3" }).click();
  await page.getByText("Nothing has run yet").waitFor();
});

test("the palette finds executions", async ({ page, go, server }) => {
  await server.push(flows.hello("quick", "team.a"));
  await server.push(flows.failing);
  const runs = [];
  for (let i = 0; i < 8; i++) runs.push(await server.run("team.a", "quick", {}, "?wait=true"));
  const failed = await server.run("shop.orders", "import-orders", {}, "?wait=true");
  await go("flows");
  await page.keyboard.press("Control+k");
  await page.keyboard.type(runs[2].id.slice(0, 21));
  await page.waitForSelector(`[role=option][aria-selected=true] >> text=${runs[2].id}`);
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(runs[2].id));
  await page.keyboard.press("Control+k");
  await page.keyboard.type("state:failed");
  await page.waitForSelector(`[role=option][aria-selected=true] >> text=${failed.id}`);
  await page.getByRole("combobox", { name: "Jump to" }).fill("quick");
  await page.getByRole("option", { name: "All 8 executions that match" }).click();
  await page.waitForURL(/executions\?q=quick/);
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 8);
});

test("the list of flows asks for all last runs at once, and keeps them live", async ({ page, go, server }) => {
  for (let i = 0; i < 12; i++) await server.push(flows.hello(`flow-${i}`, "team.a"));
  for (let i = 0; i < 3; i++) await server.run("team.a", "flow-3", {}, "?wait=true");
  const asked = [];
  page.on("request", (request) => { if (request.url().includes("executions")) asked.push(request.url()); });
  await go("flows");
  const bars = (flow, count) => page.waitForFunction(([name, want]) => {
    const row = [...document.querySelectorAll("tbody tr")].find((one) => one.textContent.includes(name));
    return row?.querySelectorAll(".runs a").length === want;
  }, [flow, count]);
  await bars("flow-3", 3);
  assert.equal(await page.getByText("Never run").count(), 11);
  await page.waitForSelector("[data-live=live]");
  await server.run("team.a", "flow-4", {}, "?wait=true");
  await bars("flow-4", 1);
  const others = asked.filter((url) => !url.includes("/events?"));
  assert.equal(others.length, 1, others.join("\n"));
  assert.match(others[0], /latest\/group-by-flow\?size=20&light=true/);
});

test("themes: the system's, and one's own that stays", async ({ page, go }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  await go("flows");
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await background();
  assert.notEqual(light, dark);
  await page.locator("[data-action=theme]").click(); // Light, whatever the system says.
  assert.equal(await background(), light);
  await page.reload();
  await page.waitForSelector("[data-action=theme]");
  assert.equal(await background(), light);
  await page.locator("[data-action=theme]").click();
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await background(), dark);
});

test("text has a contrast of at least 4.5 in both themes", async ({ page, go }) => {
  await go("flows");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const weak = await page.evaluate(() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const probe = document.body.appendChild(document.createElement("i"));
      const luminance = (name) => {
        probe.style.color = `var(${name})`;
        canvas.fillStyle = getComputedStyle(probe).color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const found = [];
      let checked = 0;
      const check = (text, ground, what = "") => {
        const [a, b] = [luminance(text), luminance(ground)].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        checked++;
        if (!(contrast >= 4.5)) found.push(`${what}${text} on ${ground}: ${contrast.toFixed(2)}`);
      };
      for (const ground of ["--bg", "--surface", "--sunken", "--raised", "--hover"]) for (const text of ["--text", "--muted"]) check(text, ground);
      for (const ground of ["--bg", "--surface", "--raised", "--accent-soft"]) check("--accent", ground);
      for (const ground of ["--accent-fill", "--accent-fill-hover"]) check("--on-accent", ground);
      for (const text of ["--text", "--muted"]) check(text, "--accent-soft");
      for (const tone of ["grey", "blue", "amber", "green", "orange", "red", "violet"]) {
        probe.dataset.tone = tone;
        for (const ground of ["--bg", "--surface", "--tone-soft"]) check("--tone", ground, `${tone} `);
      }
      return checked < 39 ? [`only ${checked} checked`] : found;
    });
    assert.deepEqual(weak, [], colorScheme);
  }
});

test("the keyboard alone: jump, run, look around", async ({ page, go, server }) => {
  await server.push(flows.loop);
  await go("flows");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("nightly");
  await page.waitForSelector("[role=option][aria-selected=true] >> text=nightly-report");
  await page.keyboard.press("Enter");
  await page.waitForURL(/flows\/shop.reports\/nightly-report/);
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
  await page.getByRole("button", { name: "Run" }).waitFor();
  for (let i = 0; i < 25 && (await focused()) !== "Run"; i++) await page.keyboard.press("Tab");
  assert.equal(await focused(), "Run");
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog [data-input=day]");
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("data-input")), "day");
  await page.keyboard.press("Control+Enter");
  await stateOf(page, "SUCCESS");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const chosen = page.locator("[aria-selected=true]");
  assert.equal(await chosen.getAttribute("data-task"), "regions");
  await page.keyboard.press("Enter");
  assert.equal(await chosen.getAttribute("aria-expanded"), "false");
  await page.keyboard.press("k");
  assert.equal(await chosen.getAttribute("data-task"), "collect");
  await page.keyboard.press("o");
  await page.getByText("Outputs of collect").waitFor();
  await page.keyboard.press("l");
  await page.waitForSelector(".lines .line");
  await page.keyboard.press("Control+k");
  await page.waitForSelector("[role=combobox]");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("[role=combobox]"));
});

test("a loop of 100,000 values is looked at value by value, and nothing freezes", async ({ page, go, server }) => {
  const VALUES = 100_000;
  await server.push(flows.large(VALUES));
  await page.addInitScript(() => {
    window.longest = 0;
    let last = performance.now();
    const tick = () => {
      window.longest = Math.max(window.longest, performance.now() - last);
      last = performance.now();
      setTimeout(tick, 5);
    };
    tick();
  });
  await go("flows/shop.media/large?run=1");
  await page.locator("dialog [data-input=labels]").waitFor();
  await page.keyboard.press("Control+Enter");
  await stateOf(page, "FAILED", 30000);
  const chosen = page.locator("[aria-selected=true]");
  const each = page.locator("[data-task=each]");
  const rows = page.locator(".rows");
  const value = (lane) => page.locator(`[data-lane="${lane}"]`);
  const isRead = () => page.waitForFunction(() => !document.querySelector(".row.wait"));
  await page.reload(); // It opens on what failed.
  await page.getByText("check failed").waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-selected=true]")?.dataset.task === "check");
  await value(VALUES - 30).waitFor();
  assert.ok((await page.locator("[role=treeitem]").count()) < 100, "only what is seen is drawn");
  await page.waitForSelector(".lines .line");
  assert.equal(await page.locator(".lines .line").count(), 2, "its lines only");
  await page.keyboard.press("f");
  await value(VALUES - 20).waitFor();
  await page.getByText(`check · ${VALUES - 20}`).waitFor();
  // By hand: to the middle, a value, its task.
  await rows.evaluate((view) => { view.scrollTop = 50_000 * 30; });
  await value(50_005).click();
  assert.equal(await chosen.getAttribute("data-lane"), "50005");
  await page.getByText("picture 50005").waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("j");
  assert.equal(await chosen.getAttribute("data-task"), "resize");
  await page.keyboard.press("o");
  await page.getByText("resize has no outputs").waitFor();
  const asked = [];
  page.on("request", (request) => { if (request.url().includes("/lanes?")) asked.push(request.url()); });
  for (let at = 0; at < 100; at++) await rows.evaluate((view, top) => { view.scrollTop = top; }, at * 30_000);
  await rows.evaluate((view) => { view.scrollTop = view.scrollHeight; });
  await value(VALUES).waitFor();
  await isRead();
  assert.ok(asked.length < 60, `${asked.length} pages were asked for`);
  // Only the failed ones.
  await rows.evaluate((view) => { view.scrollTop = 0; });
  await each.getByText("100 000 values").waitFor(); // A narrow space.
  await each.getByRole("button", { name: "3 failed" }).click();
  await page.waitForFunction(() => document.querySelectorAll("[data-lane]").length === 3);
  await each.getByRole("button", { name: "3 failed" }).click();
  await value(1).waitFor();
  assert.ok((await page.evaluate(() => window.longest)) < 1500, `it stood still for ${await page.evaluate(() => window.longest)} ms`);
});

test("a large loop is followed while it runs, and killed", async ({ page, go, server }) => {
  await server.push(flows.large(20_000, "{id: resize, type: shell, commands: [echo picture, sleep 0.02]}"));
  const running = await server.run("shop.media", "large", {}, "?taskRuns=0");
  assert.equal(running.taskRunList, undefined);
  await go(at(running));
  await page.locator("[data-task=each] .turn").click();
  await page.waitForSelector("[data-lane][data-run-state=SUCCESS]");
  await page.locator(".rows").evaluate((view) => { view.scrollTop = view.scrollHeight; });
  await page.waitForSelector("[data-lane]:not([data-run-state=SUCCESS])");
  await page.locator("[data-lane]:not([data-run-state=SUCCESS])").last().click(); // It goes on by itself.
  const lane = await page.locator("[aria-selected=true]").getAttribute("data-lane");
  await page.waitForSelector(`[data-lane="${lane}"][data-run-state=SUCCESS]`, { timeout: 20000 });
  await page.getByRole("button", { name: "Kill" }).click();
  await page.locator("dialog").getByRole("button", { name: "Kill" }).click();
  await stateOf(page, "KILLED", 30000);
  await page.locator(".rows").evaluate((view) => { view.scrollTop = 0; });
  await page.waitForSelector("[data-task=each][data-run-state=KILLED]");
});

test("metrics: of all task runs, of one, and as they come", async ({ page, go, server }) => {
  await server.push(flows.measured(server.gate));
  const running = await server.run("shop.orders", "load-orders");
  await go(at(running));
  await page.waitForSelector("[data-task=last][data-run-state=RUNNING]");
  await page.keyboard.press("m");
  const rows = page.locator("[data-metric]");
  await page.locator("[data-metric=rows]").nth(2).waitFor();
  assert.equal(await rows.count(), 9);
  const first = page.locator("[data-metric=rows]").first();
  assert.match(await first.textContent(), /tableorders.*load.*1\s204\.5/);
  await page.locator("[data-metric=query]").first().getByText("1.25 s").waitFor();
  await page.locator("[data-metric=lag]").first().getByText("4.000e-5").waitFor();
  server.openGate();
  await stateOf(page, "SUCCESS");
  await page.locator("[data-metric=size]").getByText("123 456 789").waitFor();
  await page.locator("[data-metric=rows]").nth(1).getByRole("button", { name: "load" }).click();
  await page.waitForFunction(() => document.querySelectorAll("[data-metric]").length === 3);
  await page.locator("[data-task=tables]").click(); // All within it.
  await page.waitForFunction(() => document.querySelectorAll("[data-metric]").length === 9);
  assert.match(page.url(), /tab=metrics/);
});

test("logs: levels, search, a tail that stops", async ({ page, go, server }) => {
  await server.push(flows.noisy(server.gate));
  const noisy = await server.run("demo", "noisy");
  await go(at(noisy));
  const bottom = () => page.evaluate(() => { const view = document.querySelector(".lines"); return view.scrollHeight - view.scrollTop - view.clientHeight; });
  await page.getByText("line 3000 of many").waitFor();
  assert.ok((await page.locator(".lines .line").count()) < 200, "only what is seen is drawn");
  assert.ok((await bottom()) < 9);
  await page.locator(".lines").evaluate((view) => { view.scrollTop = 2000; });
  await page.getByText("Stopped following").click();
  await page.waitForFunction(() => { const view = document.querySelector(".lines"); return view.scrollHeight - view.scrollTop - view.clientHeight < 9; });
  await page.locator(".lines").evaluate((view) => { view.scrollTop = 2000; });
  await page.getByText("Stopped following").waitFor();
  server.openGate();
  await stateOf(page, "WARNING"); // As stderr was written to.
  assert.ok((await bottom()) > 1000, "it did not jump");
  await page.getByRole("searchbox", { name: "Search" }).fill("line 777 ");
  await page.getByText("1/1").waitFor();
  await page.getByText("line 777 of many").waitFor();
  await page.getByRole("searchbox", { name: "Search" }).fill("");
  await page.getByLabel("Level").selectOption("ERROR");
  await page.waitForFunction(() => document.querySelectorAll(".lines .line").length === 1);
  assert.match(page.url(), /level=ERROR/);
});

test("a lost connection is seen, and what was missed comes", async ({ page, server }) => {
  const proxy = await startProxy(server, "/");
  try {
    await server.push(flows.slow);
    const running = await server.run("ops", "backup");
    await page.goto(`${proxy.address}/ui/${at(running)}`);
    await page.waitForSelector("[data-live=live]");
    await page.getByText(/step \d+ of 400/).first().waitFor();
    await proxy.cut();
    await page.waitForSelector("[data-live=waiting]");
    const seen = await page.locator(".lines .line").count();
    while ((await server.call(`logs/${running.id}`)).length < seen + 5) await new Promise((done) => setTimeout(done, 50));
    await server.call(`executions/${running.id}/kill`, { method: "DELETE" });
    await proxy.mend();
    await stateOf(page, "KILLED");
    // Every line once, those of the break too.
    const lines = await server.call(`logs/${running.id}`);
    assert.ok(lines.length >= seen + 5);
    const steps = lines.filter(({ message }) => message.includes("step")).length;
    await page.getByRole("searchbox", { name: "Search" }).fill("step");
    await page.getByText(`1/${steps}`, { exact: true }).waitFor();
  } finally {
    await proxy.stop();
  }
});

test("a server with a password", async ({ page, context }) => {
  const guarded = await startServer(resolve(binary), ["--bind", "0.0.0.0"]);
  try {
    const refused = await page.goto(`${guarded.address.replace("0.0.0.0", "127.0.0.1")}/ui/flows`).catch(() => null);
    assert.ok(refused === null || refused.status() === 401);
    const password = readFileSync(`${guarded.data}/api.token`, "utf8").trim();
    const known = await context.browser().newContext({ httpCredentials: { username: "any", password } });
    const own = await known.newPage();
    await own.goto(`${guarded.address.replace("0.0.0.0", "127.0.0.1")}/ui/`);
    await own.locator("[data-example=hello]").click();
    await own.locator("dialog [data-input=who]").fill("guest");
    await own.keyboard.press("Control+Enter");
    await stateOf(own, "SUCCESS");
    await own.getByText("Hello guest").waitFor();
    await own.goBack(); // To the flow, without its dialog.
    await own.getByText("Last executions").waitFor();
    await own.waitForSelector("[data-live=live]");
    assert.equal(await own.locator("dialog").count(), 0);
    await known.close();
  } finally {
    await guarded.stop();
  }
});

test("below a path of a proxy", async ({ page, server }) => {
  const proxy = await startProxy(server, "/tools/baton/");
  try {
    await server.push(flows.hello("quick", "team.a"));
    const base = `${proxy.address}/tools/baton/`;
    await page.goto(base);
    await page.getByRole("link", { name: "quick" }).click();
    await page.waitForURL(`${base}ui/flows/team.a/quick`);
    await page.reload();
    await page.getByRole("button", { name: "Run" }).click();
    await page.keyboard.press("Control+Enter");
    await stateOf(page, "SUCCESS");
    assert.ok(page.url().startsWith(`${base}ui/executions/team.a/quick/`));
  } finally {
    await proxy.stop();
  }
});

const browser = await startBrowser();
let failed = 0;
mkdirSync("build/screenshots", { recursive: true });
const chosen = tests.filter(({ name }) => !names.length || names.some((part) => name.includes(part)));
for (const { name, body } of chosen) {
  const start = Date.now();
  const server = await startServer(resolve(binary));
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const troubles = [];
  page.setDefaultTimeout(10000);
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => {
    // A refused request is what some tests want; a policy's complaint is never.
    if (message.type() === "error" && !/Failed to load resource|net::ERR_/.test(message.text())) troubles.push(message.text());
  });
  try {
    await body({ page, server, context, go: (path) => page.goto(`${server.address}/ui/${path}`) });
    assert.deepEqual(troubles, []);
    console.log(`ok  ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error.stack}\n${troubles.join("\n")}\n${server.output().slice(-2000)}`);
    await page.screenshot({ path: `build/screenshots/failed-${failed}.png` }).catch(() => undefined);
  } finally {
    await context.close();
    await server.stop();
  }
}
await browser.close();
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed || !chosen.length ? 1 : 0);

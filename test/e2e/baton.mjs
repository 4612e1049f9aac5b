// A Baton server of one's own, and a real browser, for tests of the page.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(new URL("../../ui/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export async function startServer(binary, args = []) {
  const data = mkdtempSync(join(tmpdir(), "baton-e2e-"));
  const child = spawn(binary, ["server", "--data", data, "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const address = await new Promise((resolve, reject) => {
    const hear = (piece) => {
      output += piece;
      const found = /ready at (http:\/\/\S+)/.exec(output);
      if (found) resolve(found[1]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${output}`)));
  });
  return {
    address,
    data,
    output: () => output,
    gate: join(data, "gate"),
    openGate: () => writeFileSync(join(data, "gate"), ""),
    async call(path, init = {}) {
      const response = await fetch(`${address}/api/v1/${path}`, init);
      const body = await response.text();
      if (!response.ok) throw new Error(`${path}: ${response.status} ${body}`);
      return body ? JSON.parse(body) : null;
    },
    push(source) {
      return this.call("flows/import-source", {
        method: "POST", body: source, headers: { "Content-Type": "application/x-yaml" },
      });
    },
    run(namespace, flow, inputs = {}, query = "") {
      const body = new FormData();
      for (const [name, value] of Object.entries(inputs)) body.append(name, value);
      return this.call(`executions/${namespace}/${flow}${query}`, { method: "POST", body });
    },
    async stop() {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGTERM");
      const code = await ended;
      rmSync(data, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the server ended with ${code}: ${output}`);
    },
  };
}

/** A reverse proxy below a path, whose Host is the server's; it can be cut and mended. */
export async function startProxy(server, prefix) {
  const target = new URL(server.address);
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith(prefix)) return outgoing.writeHead(404).end();
    const passed = request({
      host: target.hostname, port: target.port, method: incoming.method, path: incoming.url.slice(prefix.length - 1),
      headers: { ...incoming.headers, host: target.host },
    }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    outgoing.on("close", () => passed.destroy());
    incoming.pipe(passed);
  });
  const listen = (port) => new Promise((done) => proxy.listen(port, "127.0.0.1", done));
  await listen(0);
  const { port } = proxy.address();
  const cut = () => new Promise((done) => {
    proxy.close(done);
    proxy.closeAllConnections();
  });
  return { address: `http://127.0.0.1:${port}`, cut, mend: () => listen(port), stop: () => proxy.listening && cut() };
}

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place));
  if (!executablePath) throw new Error("no Chromium here: tools/setup.sh e2e installs it");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

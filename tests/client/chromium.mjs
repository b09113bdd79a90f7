// Chromium with a profile that outlives it: started, killed and started again.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const BINARIES = ["chromium", "chromium-browser", "google-chrome"].map((name) => `/usr/bin/${name}`);

export class Chromium {
  static async start() {
    const chromium = new Chromium();
    chromium.profile = await mkdtemp(join(tmpdir(), "milepost-chromium-"));
    await chromium.restart();
    return chromium;
  }

  async restart() {
    const executablePath = process.env.CHROMIUM_BIN ?? BINARIES.find((path) => existsSync(path));
    if (!executablePath) throw new Error("no chromium; hint: name it in CHROMIUM_BIN");
    this.browser = await puppeteer.launch({
      executablePath,
      userDataDir: this.profile,
      args: ["--no-sandbox", "--disable-quic", "--no-first-run"],
    });
  }

  /** Opens a page of the site; it is loaded when this returns. */
  async open(url) {
    const page = await this.browser.newPage();
    await page.goto(url, { waitUntil: "load" });
    return page;
  }

  /** `kill -9` of the browser and all its processes, in the middle of whatever it does. */
  async kill() {
    const child = this.browser.process();
    const ended = new Promise((done) => child.once("exit", done));
    process.kill(-child.pid, "SIGKILL");
    await ended;
  }

  async stop() {
    await this.browser.close().catch(() => {});
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Waits until something holds, and says what if it never does. */
export async function until(what, holds, seconds = 60) {
  const end = Date.now() + seconds * 1e3;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await pause(50);
  }
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

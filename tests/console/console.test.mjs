// The console as a person has it: in Chromium, against the real `milepost`.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const BINARIES = ["chromium", "chromium-browser", "google-chrome"].map((name) => `/usr/bin/${name}`);
const WIDTHS = [390, 1280];
const SCHEMES = ["light", "dark"];
const TOKEN = "a-token-of-the-tests";
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

let browser;
let stack;
const started = [];

before(async () => {
  const executablePath = process.env.CHROMIUM_BIN ?? BINARIES.find((path) => existsSync(path));
  if (!executablePath) throw new Error("no chromium; hint: name it in CHROMIUM_BIN");
  browser = await puppeteer.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-quic", "--no-first-run"],
  });
  if (process.env.SHOTS) await mkdir(process.env.SHOTS, { recursive: true });
  stack = await local();
});
after(async () => {
  await browser?.close();
  for (const child of started) {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGINT");
    await ended;
  }
});

/** `milepost local` on free ports. */
async function local(env = {}) {
  const binary = process.env.MILEPOST_BIN ?? here("../../target/debug/milepost");
  const child = spawn(binary, ["local", "--port", "0", "--json", "--window", "0"], {
    cwd: here("../.."),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  started.push(child);
  const line = await new Promise((done, fail) => {
    createInterface(child.stdout).once("line", done);
    child.once("error", fail);
    child.once("exit", (code) => fail(new Error(`${binary} ended with ${code}`)));
  });
  child.removeAllListeners("exit");
  return JSON.parse(line);
}

/** Sends an event of this person. */
async function send(email, module = "first-vpc", urls = stack) {
  const answer = await fetch(`${urls.api}/events/track`, {
    method: "POST",
    body: JSON.stringify({
      eventName: "learning_module_completed",
      contactIdentifier: { email },
      pathway_slug: "hedgehog-fundamentals",
      course_slug: "getting-started-101",
      payload: { module_slug: module, ts: new Date().toISOString() },
    }),
  });
  assert.equal((await answer.json()).status, "persisted");
}

async function held(email) {
  const { contacts } = await (await fetch(`${stack.portal}/_portal/contacts?limit=1000`)).json();
  return contacts.find((contact) => contact.email === email);
}

/** A page of a new visitor; an error of the page fails the test. */
async function open(path = "/", { width = 1280, scheme = "light", script = true, urls = stack } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.troubles.push(message.text()));
  await page.setJavaScriptEnabled(script);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(`${urls.api}${path}`, { waitUntil: "load" });
  return page;
}

async function close(page) {
  assert.deepEqual(page.troubles, []);
  await page.browserContext().close();
}

async function until(what, holds, seconds = 45) {
  const end = Date.now() + seconds * 1e3;
  for (;;) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

const text = (page, selector) => page.$eval(selector, (part) => part.textContent);
const shows = (page, selector, words) =>
  until(`${selector} has ${words}`, async () => (await text(page, selector)).includes(words));

/** Switches the simulator's rule by the console's own switch. */
async function rule(page, verb) {
  const now = await page.$eval("#fault-rule", (button) => button.textContent);
  if (now !== `Switch ${verb}`) return;
  await Promise.all([page.waitForNavigation(), page.click("#fault-rule")]);
}

test("a dead letter is made, replayed by clicking, and applied", async () => {
  const page = await open();
  await rule(page, "on");
  await send("clicked@example.com");
  await shows(page, "#letters", "REJECTED");
  assert.equal(await held("clicked@example.com"), undefined);
  await rule(page, "off");
  await shows(page, "#letters", "REJECTED");

  await Promise.all([page.waitForNavigation(), page.click("#replay-REJECTED")]);
  assert.match(await text(page, "main"), /nothing has changed\. 1 dead letter would go back/);
  const dead = await (await fetch(`${stack.api}/`)).text();
  assert.match(dead, /<dt>Dead letters<\/dt><dd>1<\/dd>/, "the dry run changed something");
  assert.equal(await held("clicked@example.com"), undefined);

  await Promise.all([page.waitForNavigation(), page.click("#send")]);
  await shows(page, "#replay", "done: 1 applied");
  await shows(page, "#letters", "None.");
  await shows(page, "#contacts", "clicked@example.com");
  assert.ok(await held("clicked@example.com"));
  await close(page);
});

test("the same with the keyboard alone", async () => {
  const page = await open();
  /** Goes to a control with the tab key alone. */
  const reach = async (id) => {
    for (let at = 0; at < 80; at += 1) {
      if (await page.evaluate((id) => document.activeElement?.id === id, id)) {
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.equal(outline, "solid", `the focus on ${id} can't be seen`);
        return;
      }
      await page.keyboard.press("Tab");
    }
    assert.fail(`the tab key does not lead to ${id}`);
  };
  const enter = () => Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);

  await reach("fault-rule");
  await enter();
  await send("keyed@example.com");
  await shows(page, "#letters", "REJECTED");
  await reach("fault-rule");
  await enter();
  await reach("replay-REJECTED");
  // The page refreshes, and the focus stays.
  await send("another@example.com", "intro-to-hedgehog");
  await shows(page, "#contacts", "another@example.com");
  await reach("replay-REJECTED");
  await enter();
  await reach("send");
  await enter();
  await shows(page, "#replay", "done: 1 applied");
  assert.ok(await held("keyed@example.com"));
  await close(page);
});

test("an outage can be watched: events wait, and are applied when it is over", async () => {
  const page = await open();
  await Promise.all([page.waitForNavigation(), page.click("#fault-token")]);
  await send("outage@example.com");
  await shows(page, "#standing", "HubSpot takes no writes");
  await Promise.all([page.waitForNavigation(), page.click("#fault-token")]);
  await until("the event is applied", async () => await held("outage@example.com"), 100);
  await close(page);
});

test("it can be read and used without a script", async () => {
  const page = await open("/", { script: false });
  const read = async () => (await page.goto(`${stack.api}/`)).text();
  const html = await read();
  for (const words of ["Waiting", "Dead letters", "clicked@example.com", "HubSpot is away"]) {
    assert.ok(html.includes(words), words);
  }
  await Promise.all([page.waitForNavigation(), page.click("#fault-rule")]);
  await send("scriptless@example.com");
  await until("the letter is shown", async () => (await read()).includes("replay-REJECTED"));
  await Promise.all([page.waitForNavigation(), page.click("#fault-rule")]);
  await Promise.all([page.waitForNavigation(), page.click("#replay-REJECTED")]);
  await Promise.all([page.waitForNavigation(), page.click("#send")]);
  await until("it is applied", async () => (await read()).includes("done:</strong> 1 applied"));
  await close(page);
});

test("off its own page nothing acts, and with a token set one logs in", async () => {
  const urls = await local({ MILEPOST_CONSOLE_TOKEN: TOKEN });
  const page = await open("/", { urls });
  page.troubles.length = 0;
  assert.ok(!(await text(page, "body")).includes("Waiting"));
  await page.type("#token", "wrong");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(await text(page, "main"), /not the token/);
  await page.type("#token", TOKEN);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await shows(page, "#figures", "Waiting");

  // A site with another name posts a form here, in the browser that holds the cookie.
  const fault = () => page.$eval("#fault-away", (button) => button.textContent);
  const token = await page.$eval("input[name=csrf_token]", (input) => input.value);
  const foreign = await page.browserContext().newPage();
  await foreign.goto(`${urls.api.replace("127.0.0.1", "localhost")}/api/health`);
  await foreign.setContent(`<form method="post" action="${urls.api}/console/fault">
    <input name="csrf_token" value="${token}"><input name="fault" value="away"><button name="on" value="true">
    </button></form>`);
  const [answer] = await Promise.all([foreign.waitForNavigation(), foreign.click("button")]);
  assert.notEqual(answer.status(), 303);
  await page.reload();
  assert.equal(await fault(), "Switch on");

  const cookies = await page.browserContext().cookies();
  const session = cookies.find(({ name }) => name === "milepost-console");
  assert.equal(session.httpOnly, true);
  assert.equal(session.sameSite, "Strict");
  page.troubles.length = 0;
  await close(page);
});

test("axe has no serious finding on any page, narrow and wide, light and dark", async () => {
  const axe = await readFile(here("node_modules/axe-core/axe.min.js"), "utf8");
  const closed = await local({ MILEPOST_CONSOLE_TOKEN: TOKEN });
  const first = await open();
  await rule(first, "on");
  for (const module of ["first-vpc", "intro-to-hedgehog"]) await send("refused@example.com", module);
  await shows(first, "#letters", "REJECTED");
  await close(first);
  const pages = {
    console: ["/", stack],
    replay: ["/console/replay?reason=REJECTED", stack],
    nothing: ["/console/replay?id=nothing", stack],
    login: ["/", closed],
  };
  const findings = [];
  for (const [name, [path, urls]] of Object.entries(pages)) {
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        const page = await open(path, { width, scheme, urls });
        if (name === "console") await shows(page, "#tools", "Pause");
        if (process.env.SHOTS) {
          const file = `${process.env.SHOTS}/${name}-${width}-${scheme}.png`;
          await page.screenshot({ path: file, fullPage: true });
        }
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wider > 0) findings.push(`${name} ${width}: ${wider} px wider than the window`);
        // Through the debugger: the page's own policy allows no script but its own.
        await page.evaluate(axe);
        const { violations, passes } = await page.evaluate(() => window.axe.run());
        assert.ok(passes.length > 10, `axe looked at ${passes.length} rules only`);
        for (const { id, impact, nodes } of violations) {
          const isGrave = ["serious", "critical"].includes(impact);
          if (isGrave) findings.push(`${name} ${width} ${scheme}: ${id} ${nodes[0].html}`);
          else console.log(`${name} ${width} ${scheme}: ${impact} ${id}`);
        }
        page.troubles.length = 0;
        await close(page);
      }
    }
  }
  assert.deepEqual(findings, []);
});

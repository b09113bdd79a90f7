// What a browser does with the pages: the site's present ones, the client's, and the demo.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Chromium, until } from "./chromium.mjs";
import { Proxy, start } from "./stack.mjs";

let stack;
let chromium;
let proxy;
const proxies = [];

before(async () => {
  stack = await start();
  chromium = await Chromium.start();
});
after(async () => {
  await chromium?.stop();
  for (const proxy of proxies) await proxy.stop();
  await stack?.stop();
});

/** A page of the site, with a proxy of its own before the API. */
async function open(path, options) {
  proxy = await Proxy.start(stack.urls.api);
  proxies.push(proxy);
  return chromium.open(stack.site.page(path, proxy, options));
}

const preflights = () => proxy.requests.filter(({ method }) => method === "OPTIONS").length;
const posts = () => proxy.requests.filter(({ method }) => method === "POST");

/** Waits until HubSpot has these modules of a contact, and no others. */
async function holds(email, modules) {
  const completed = async () => (await stack.crm.contacts()).get(email)?.completed ?? [];
  await until(`${email} has ${modules}`, async () => `${(await completed()).sort()}` === `${modules}`, 20);
}

test("the client's requests need no preflight", async () => {
  const page = await open("/client");
  for (let at = 0; at < 5; at += 1) {
    await page.evaluate((at) => send("client@example.com", [`m${at}`]), at);
  }
  await holds("client@example.com", ["m0", "m1", "m2", "m3", "m4"]);
  assert.equal(preflights(), 0);
  for (const { type } of posts()) assert.equal(type, "text/plain;charset=UTF-8");
  assert.equal(await page.evaluate(() => waiting()), 0);
  await page.close();
});

test("the present pages work unchanged, with one preflight for all their requests of an hour", async () => {
  const contactId = await stack.crm.add({ email: "old@example.com" });
  const who = { email: "old@example.com", contactId };
  const page = await open("/old");
  const answer = await page.evaluate((who) => byFetch(who, "m1"), who);
  assert.deepEqual(
    [answer.status, answer.mode, answer.contactId, answer.queued],
    ["persisted", "authenticated", contactId, true],
  );
  // As the other present pages do: by one of the two, by a beacon, from a page opened later.
  await page.evaluate((contactId) => byFetch({ contactId }, "m2"), contactId);
  assert.ok(await page.evaluate((who) => byBeacon(who, "m3"), who));
  await page.reload();
  await page.evaluate((email) => byFetch({ email }, "m4"), who.email);
  await holds("old@example.com", ["m1", "m2", "m3", "m4"]);
  assert.equal(preflights(), 1);
  assert.equal(posts().length, 4);
  for (const { type } of posts()) assert.equal(type, "application/json");
  await page.close();

  const { headers } = await fetch(`${stack.urls.api}/events/track`, { method: "OPTIONS" });
  assert.equal(headers.get("access-control-max-age"), "3600");
});

test("another origin has a preflight of its own", async () => {
  const origin = stack.site.origin.replace("127.0.0.1", "localhost");
  const page = await open("/old", { origin });
  for (const module of ["m1", "m2"]) {
    await page.evaluate((module) => byFetch({ email: "other@example.com" }, module), module);
  }
  await holds("other@example.com", ["m1", "m2"]);
  assert.equal(preflights(), 1);
  await page.close();
});

test("a Retry-After is kept by all tabs", async () => {
  const page = await open("/client");
  const other = await chromium.open(stack.site.page("/client", proxy));
  proxy.fault = () => "429, Retry-After: 1";
  await page.evaluate(() => send("asked@example.com", ["m1"]));
  await until("the first request", () => posts().length === 1);
  proxy.fault = () => "none";
  const refusedAt = posts()[0].at;
  await until("the answer", () => other.evaluate(() => "milepost-asked" in localStorage));
  await other.evaluate(() => send("asked@example.com", ["m2"]));
  await holds("asked@example.com", ["m1", "m2"]);
  for (const { at } of posts().slice(1)) assert.ok(at - refusedAt >= 1_000, `${at - refusedAt} ms`);
  await page.close();
  await other.close();
});

test("on the demo page HubSpot changes with a click, and what is clicked offline comes later", async () => {
  const page = await chromium.open(`${stack.urls.api}/demo`);
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  const text = (selector) => page.$eval(selector, (element) => element.textContent);
  const click = (call, at) =>
    page.evaluate((call, at) => document.querySelectorAll(`[data-call=${call}]`)[at].click(), call, at);

  await page.click("#somebody");
  await click("startModule", 0);
  await until("started", async () => (await text(".course li small")).startsWith("started at"), 20);
  await until("in HubSpot", async () => (await text("#contact")).includes("hhl_progress_summary"), 20);

  await page.click("#network");
  const modules = await page.$$eval("[data-call=completeModule]", (buttons) => buttons.length);
  for (let at = 0; at < modules; at += 1) await click("completeModule", at);
  await until("they wait", async () => (await text("#waiting")).startsWith(`${modules} events wait`));
  await page.click("#network");
  await until("all completed", async () => (await text(".course header .note")).endsWith(", completed"), 20);
  assert.match(await text("#waiting"), /^no events wait/);

  await page.click("#consent");
  await click("startModule", 0);
  assert.match(await text("#waiting"), /^no events wait/);
  // A browser tells of the failed requests too; what the page itself does wrong is none of them.
  assert.deepEqual(troubles, []);
  await page.close();
});

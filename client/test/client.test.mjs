// The rules that the client keeps, one test each, in a page whose time and network are turned by
// hand. What a real browser adds to them is in tests/client.
import assert from "node:assert/strict";
import { test } from "node:test";

import { answer, Browser, modules, persisted, settled } from "./page.mjs";

const ADA = { email: "ada@example.com" };
const module = (name) => ({ module: name, course: "c", pathway: "p" });

/** A signed token's shape; the client does not check the signature, and has no way to. */
const token = (claims) =>
  `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${Math.random()}`;

/** A browser with one page in it, whose visitor is known. */
async function ready(options) {
  const browser = new Browser();
  const page = await browser.open(options);
  await page.client.identify(ADA);
  return { browser, page, client: page.client, clock: browser.clock };
}

test("an event is kept before it is sent, and erased when it is persisted", async () => {
  const { browser, client } = await ready();
  const id = client.startModule(module("m1"));
  assert.deepEqual([browser.requests.length, browser.kept.length], [0, 1]);
  await settled();
  assert.deepEqual(browser.requests[0].json.events.map((e) => e.eventId), [id]);
  assert.equal(browser.kept.length, 0);
  assert.equal(client.lost, 0);
});

test("a request needs no preflight and outlives its page", async () => {
  const { browser, client } = await ready();
  client.startModule(module("m1"));
  await settled();
  const { method, keepalive, headers, credentials, body } = browser.requests[0];
  assert.deepEqual([method, keepalive, headers, credentials], ["POST", true, undefined, undefined]);
  assert.equal(typeof body, "string");
});

test("each call makes the event that the server's documents describe", async () => {
  const { browser, client } = await ready();
  const check = async (call, expected) => {
    const id = call();
    await settled();
    const [event] = browser.requests.at(-1).json.events;
    const { ts, ...payload } = event.payload;
    assert.equal(ts, "2026-01-18T17:30:00.000Z");
    assert.equal(event.eventId, id);
    assert.ok(id.length <= 100);
    assert.deepEqual(event.contactIdentifier, ADA);
    const { eventName, pathway_slug, course_slug, enrollment_source } = event;
    const made = { eventName, pathway_slug, course_slug, enrollment_source, payload };
    assert.deepEqual(JSON.parse(JSON.stringify(made)), expected);
  };
  await check(() => client.enroll({ pathway: "p", source: "page" }), {
    eventName: "learning_pathway_enrolled",
    pathway_slug: "p",
    enrollment_source: "page",
    payload: {},
  });
  await check(() => client.enroll({ pathway: "p", course: "c" }), {
    eventName: "learning_course_enrolled",
    pathway_slug: "p",
    course_slug: "c",
    payload: {},
  });
  await check(() => client.startModule(module("m")), {
    eventName: "learning_module_started",
    pathway_slug: "p",
    course_slug: "c",
    payload: { module_slug: "m" },
  });
  await check(() => client.completeModule({ module: "m", course: "c" }), {
    eventName: "learning_module_completed",
    course_slug: "c",
    payload: { module_slug: "m" },
  });
  await check(() => client.viewPage({ type: "course", slug: "c" }), {
    eventName: "learning_page_viewed",
    payload: { content_type: "course", slug: "c" },
  });
  await check(() => client.track("learning_course_completed", { course: "c" }), {
    eventName: "learning_course_completed",
    course_slug: "c",
    payload: {},
  });
});

test("events of one turn go in one batch, and later ones don't wait for its answer", async () => {
  const { browser, client } = await ready();
  const going = [];
  browser.server = (request) => new Promise((done) => going.push(() => done(persisted(request))));
  client.startModule(module("m1"));
  client.completeModule(module("m2"));
  await settled();
  client.startModule(module("m3"));
  const flushed = client.flush();
  await settled();
  assert.deepEqual(browser.requests.map((r) => modules(r).sort()), [["m1", "m2"], ["m3"]]);
  going.forEach((go) => go());
  assert.equal(await flushed, 0);
});

test("what is not said to be stored or anonymous stays, and is sent again", async () => {
  const { browser, client, clock, page } = await ready();
  for (const [what, reply] of [
    ["fallback", () => answer(200, { status: "logged", mode: "fallback", error: "…" })],
    ["another id", () => answer(200, { status: "persisted", eventIds: ["x"], rejected: [] })],
    ["no ids", () => answer(200, { status: "persisted" })],
    ["no JSON", () => answer(200, "<html>")],
    ["null", () => answer(200, null)],
    ["empty", () => answer(204, "")],
    ["a stranger's JSON", () => answer(200, { rejected: 7, eventIds: 7, status: "persisted" })],
    ["persisted with an error status", () => answer(500, { status: "persisted", mode: "anonymous" })],
    ...[401, 404, 405, 408, 425, 429, 500, 502, 503, 504].map((status) => [
      status,
      () => answer(status, { error: "…" }),
    ]),
    [
      "no network",
      () => {
        throw new TypeError("Failed to fetch");
      },
    ],
  ]) {
    browser.server = reply;
    client.startModule(module("m"));
    await settled();
    assert.equal(browser.kept.length, 1, `${what}: kept`);
    assert.equal(page.troubles.at(-1).reason, "retry", `${what}: told`);
    browser.server = persisted;
    await clock.pass(61_000);
    assert.equal(browser.kept.length, 0, `${what}: sent again`);
    assert.deepEqual(modules(browser.requests.at(-1)), ["m"]);
  }
  assert.equal(client.lost, 0);
});

test("an event is sent again under the same id", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => answer(503, {});
  const id = client.startModule(module("m"));
  await clock.pass(120_000);
  const ids = new Set(browser.requests.flatMap((r) => r.json.events.map((e) => e.eventId)));
  assert.deepEqual([...ids], [id]);
  assert.ok(browser.requests.length > 2);
});

test("anonymous is an end too", async () => {
  const { browser, client } = await ready();
  browser.server = () => answer(200, { status: "logged", mode: "anonymous" });
  client.startModule(module("m"));
  await settled();
  assert.equal(browser.kept.length, 0);
  assert.equal(client.lost, 0);
});

test("in a batch each event has its own fate", async () => {
  const { browser, client, page } = await ready();
  browser.server = (request) => {
    const [, bad, later] = request.json.events.map((e) => e.eventId);
    const rejected = [
      { index: 1, code: "SCHEMA_VALIDATION_FAILED", details: ["eventName: no such event"] },
      { index: 2, code: "FALLBACK", details: [] },
      { index: 3, code: "NO_IDENTITY", details: [] },
    ];
    const nobody = request.json.events[3].eventId;
    return persisted(request, { except: [bad, later, nobody], rejected });
  };
  for (const name of ["good", "bad", "later", "nobody"]) client.startModule(module(name));
  await settled();
  // Ids of one millisecond are in no order; the server above goes by place.
  const sent = modules(browser.requests[0]);
  assert.deepEqual(browser.kept.map((e) => e.payload.module_slug), [sent[2]]);
  assert.equal(client.lost, 1);
  const { reason, status, details } = page.troubles.find((t) => t.reason === "refused");
  assert.deepEqual([reason, status, details], ["refused", 200, ["eventName: no such event"]]);
});

test("a body that is refused for one bad event costs that event alone", async () => {
  for (const status of [400, 403, 413, 422]) {
    const { browser, client, clock } = await ready();
    browser.server = (request) =>
      modules(request).includes("bad") ? answer(status, { error: "…" }) : persisted(request);
    const names = Array.from({ length: 40 }, (_, at) => (at === 17 ? "bad" : `m${at}`));
    for (const name of names) client.startModule(module(name));
    await clock.pass(1);
    const stored = browser.requests.filter((r) => !modules(r).includes("bad")).flatMap(modules);
    assert.equal(new Set(stored).size, 39, `${status}`);
    assert.equal(browser.kept.length, 0);
    assert.equal(client.lost, 1);
    assert.ok(browser.requests.length < 40, `${status}: ${browser.requests.length} requests`);
  }
});

test("an event that brings the server down does not stand before the others", async () => {
  const { browser, client, clock } = await ready();
  const stored = new Set();
  browser.server = (request) => {
    if (modules(request).includes("bad")) return answer(500, {});
    modules(request).forEach((name) => stored.add(name));
    return persisted(request);
  };
  for (const name of ["bad", "m1", "m2", "m3", "m4", "m5"]) client.startModule(module(name));
  await clock.pass(15 * 60_000);
  assert.equal(stored.size, 5);
  assert.deepEqual(browser.kept.map((e) => e.payload.module_slug), ["bad"]);
  assert.equal(client.lost, 0);
});

test("a batch refused with a list of what is wrong is settled by that list", async () => {
  const { browser, client, page } = await ready();
  browser.server = ({ json }) => {
    const rejected = json.events.map((_, index) => ({ index, code: "SCHEMA_VALIDATION_FAILED" }));
    return answer(400, { error: "…", rejected });
  };
  for (let at = 0; at < 50; at += 1) client.startModule(module("m"));
  await settled();
  assert.equal(browser.requests.length, 1);
  assert.equal(client.lost, 50);
  assert.equal(page.troubles.length, 50);
});

test("pauses double up to a minute, and each is any part of that", async (t) => {
  const { browser, client, clock } = await ready();
  const check = async (chance, expected) => {
    t.mock.method(Math, "random", () => chance);
    browser.server = () => answer(503, {});
    const times = [];
    const server = browser.server;
    browser.server = (request) => (times.push(clock.now), server(request));
    client.startModule(module("m"));
    await clock.pass(600_000);
    const pauses = times.slice(1).map((time, at) => time - times[at]);
    assert.deepEqual(pauses.slice(0, expected.length), expected);
    browser.server = persisted;
    await client.flush();
  };
  await check(0.999999999, [999, 1999, 3999, 7999, 15999, 31999, 59999, 59999].map((n) => n + 1));
  await check(0.5, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
});

test("requests that fail together make one pause", async (t) => {
  const { browser, client, clock } = await ready();
  t.mock.method(Math, "random", () => 0.5);
  const going = [];
  browser.server = () => new Promise((done) => going.push(() => done(answer(503, {}))));
  for (const name of ["m1", "m2", "m3", "m4"]) {
    client.startModule(module(name));
    await settled();
  }
  going.forEach((go) => go());
  browser.server = persisted;
  await clock.pass(499);
  assert.equal(browser.requests.length, 4);
  await clock.pass(2);
  assert.equal(browser.kept.length, 0);
});

test("what the server asks for with Retry-After is kept by every page, whatever it does", async () => {
  for (const [value, ms] of [
    ["30", 30_000],
    [new Date(Date.UTC(2026, 0, 18, 17, 31)).toUTCString(), 60_000],
    ["86400", 3_600_000],
  ]) {
    const { browser, client, clock, page } = await ready();
    browser.server = () => answer(429, {}, { "retry-after": value });
    client.startModule(module("m1"));
    await settled();
    browser.server = persisted;
    const other = await browser.open();
    await other.client.identify(ADA);
    other.client.startModule(module("m2"));
    await clock.pass(ms - 1);
    await client.flush();
    await page.hide();
    await other.fire("online");
    assert.equal(browser.requests.length, 1, value);
    await clock.pass(61_000);
    assert.equal(browser.kept.length, 0, value);
  }
});

test("a Retry-After that is none is none", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => answer(429, {}, { "retry-after": "soon" });
  client.startModule(module("m"));
  await clock.pass(2_000);
  assert.ok(browser.requests.length > 1);
});

test("a clock that is put back does not keep an event waiting", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => answer(429, {}, { "retry-after": "60" });
  client.startModule(module("m"));
  await settled();
  clock.now -= 3 * 24 * 3_600_000;
  browser.server = persisted;
  await client.flush();
  assert.equal(browser.kept.length, 0);
});

test("a page that is hidden sends what waits at once, pause or not", async () => {
  for (const event of ["visibilitychange", "pagehide"]) {
    const { browser, client, page } = await ready();
    browser.server = () => answer(503, {});
    client.startModule(module("m1"));
    await settled();
    browser.server = persisted;
    page.document.hidden = true;
    await page.fire(event);
    assert.equal(browser.kept.length, 0, event);
  }
});

test("all that a page has in flight stays below what keepalive allows", async () => {
  const { browser, client, page } = await ready();
  const going = [];
  browser.server = (request) => new Promise((done) => going.push(() => done(persisted(request))));
  // Two bytes a letter in UTF-8.
  const slug = "ü".repeat(190);
  for (let at = 0; at < 150; at += 1) client.enroll({ pathway: slug, course: slug, source: slug });
  await settled();
  await page.hide();
  const bytes = browser.requests.reduce((sum, r) => sum + Buffer.byteLength(r.body), 0);
  assert.ok(bytes > 45_000 && bytes < 65_536, `${bytes} bytes`);
  const ids = browser.requests.flatMap((r) => r.json.events.map((e) => e.eventId));
  assert.equal(new Set(ids).size, ids.length, "none is in flight twice");
  while (going.length > 0) {
    going.shift()();
    await settled();
  }
  await browser.clock.pass(20_000);
  while (going.length > 0) {
    going.shift()();
    await settled();
  }
  assert.equal(browser.kept.length, 0);
});

test("what a closed page left is sent by the next one, ten seconds after it happened", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => new Promise(() => {});
  client.startModule(module("m1"));
  await settled();
  browser.server = persisted;
  await clock.pass(1);
  await browser.open();
  await clock.pass(9_000);
  assert.equal(browser.requests.length, 1);
  await clock.pass(3_000);
  assert.equal(browser.requests.length, 2);
  assert.equal(browser.kept.length, 0);
});

test("a page that is busy sends what was left, too", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => new Promise(() => {});
  client.startModule(module("left"));
  await settled();
  browser.server = persisted;
  const page = await browser.open();
  await page.client.identify(ADA);
  for (let at = 0; at < 11; at += 1) {
    await clock.pass(1_000);
    page.client.startModule(module("own"));
  }
  await settled();
  assert.equal(browser.kept.length, 0);
});

test("of several pages one sends what was left", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => new Promise(() => {});
  client.startModule(module("m1"));
  await settled();
  clock.now += 60_000;
  const going = [];
  browser.server = (request) => new Promise((done) => going.push(() => done(persisted(request))));
  for (let page = 0; page < 8; page += 1) await browser.open();
  await clock.pass(5_000);
  assert.equal(browser.requests.length, 2);
  going[0]();
  await clock.pass(60_000);
  assert.equal(browser.requests.length, 2);
  assert.equal(browser.kept.length, 0);
});

test("without locks, or where they are forbidden, nothing is lost", async () => {
  for (const locks of [undefined, { request: async () => Promise.reject(new Error("no")) }]) {
    const { browser, client, clock } = await ready();
    browser.server = () => new Promise(() => {});
    client.startModule(module("left"));
    await settled();
    clock.now += 60_000;
    browser.server = persisted;
    browser.locks = locks;
    const page = await browser.open();
    await page.client.identify(ADA);
    page.client.startModule(module("own"));
    await clock.pass(60_000);
    const left = browser.kept.map((e) => e.payload.module_slug);
    assert.deepEqual(left, locks ? ["left"] : []);
  }
});

test("without storage events live as long as their page", async () => {
  const full = new Proxy({}, {
    set() {
      throw new Error("QuotaExceededError");
    },
  });
  for (const [what, descriptor] of [
    ["full", { value: full }],
    ["null", { value: null }],
    [
      "forbidden",
      {
        get() {
          throw new Error("SecurityError");
        },
      },
    ],
  ]) {
    const browser = new Browser();
    browser.page();
    const { milepost } = await import("../src/milepost.js");
    Object.defineProperty(globalThis, "localStorage", { ...descriptor, configurable: true });
    const client = milepost({ url: "https://api.example.com/events/track" });
    browser.server = () => answer(503, {});
    client.startModule(module("m"));
    await client.identify(ADA);
    assert.equal(await client.flush(), 1, what);
    browser.server = persisted;
    await browser.clock.pass(61_000);
    assert.equal(await client.flush(), 0, what);
    assert.deepEqual(browser.requests.at(-1).json.events[0].contactIdentifier, ADA);
  }
});

test("what a killed browser had not written to disk comes back from its copy, under its id", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => answer(503, {});
  const ids = [client.startModule(module("m1")), client.startModule(module("m2"))].sort();
  await settled();
  assert.deepEqual(browser.copied, ["m1", "m2"]);
  browser.kill();
  browser.server = persisted;
  await clock.pass(60_000);
  const sent = browser.requests.length;
  const next = await browser.open();
  await clock.pass(20_000);
  const again = browser.requests.slice(sent).flatMap((r) => r.json.events);
  assert.deepEqual(again.map((e) => e.eventId).sort(), ids);
  assert.deepEqual(again[0].contactIdentifier, ADA);
  assert.deepEqual([browser.kept.length, browser.copied.length, next.client.lost], [0, 0, 0]);
});

test("a copy is what its event is: nobody's first, then a person's, then gone", async () => {
  const browser = new Browser();
  browser.server = () => answer(503, {});
  const { client } = await browser.open();
  client.startModule(module("m"));
  await settled();
  const copy = () => [...browser.caches.texts.values()].map((text) => JSON.parse(text));
  assert.equal(copy()[0].contactIdentifier, undefined);
  await client.identify(ADA);
  await settled();
  assert.deepEqual(copy(), browser.kept);
  browser.server = persisted;
  await client.flush();
  await settled();
  assert.deepEqual(copy(), []);
});

test("a copy that is made late does not outlive its event", async () => {
  for (const end of ["persisted", "consent is withdrawn here", "consent is withdrawn on another page"]) {
    const { browser, client } = await ready();
    browser.server = end === "persisted" ? persisted : () => answer(503, {});
    let release;
    browser.caches.held = new Promise((done) => (release = done));
    client.startModule(module("m"));
    await settled();
    if (end.endsWith("here")) client.consent(false);
    else if (end.endsWith("page")) (await browser.open()).client.consent(false);
    await settled();
    assert.deepEqual([browser.kept.length, browser.copied.length], [0, 0], end);
    release();
    await settled();
    assert.deepEqual([browser.kept.length, browser.copied.length], [0, 0], end);
  }
});

test("withdrawn consent erases every copy, those of a killed browser too", async () => {
  for (const withdraw of ["at the start", "later"]) {
    const { browser, client } = await ready();
    browser.server = () => answer(503, {});
    client.startModule(module("m"));
    await settled();
    browser.kill();
    // One that the kill left in pieces.
    browser.caches.texts.set(`/milepost:${Date.now().toString(36)}-1`, '{"eventN');
    const next = await browser.open(withdraw === "later" ? {} : { consent: false });
    if (withdraw === "later") next.client.consent(false);
    await settled();
    assert.deepEqual([browser.kept.length, browser.caches.texts.size], [0, 0], withdraw);
    assert.equal(next.client.lost, 0);
  }
});

test("what comes back keeps the limits, and is counted and told as what was kept is", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => answer(503, {});
  client.startModule(module("old"));
  await clock.pass(4 * 24 * 3_600_000);
  for (let at = 0; at < 199; at += 1) client.startModule(module("new"));
  await settled();
  browser.kill();
  clock.now += 4 * 24 * 3_600_000;
  const next = await browser.open();
  await settled();
  assert.deepEqual([browser.kept.length, next.client.lost], [199, 1]);
  const given = next.troubles.filter((t) => t.reason !== "retry").map((t) => t.reason);
  assert.deepEqual(given, ["expired"]);
  await next.client.identify(ADA);
  for (let at = 0; at < 3; at += 1) next.client.startModule(module("newer"));
  await settled();
  assert.deepEqual([browser.kept.length, browser.copied.length, next.client.lost], [200, 200, 3]);
});

test("a broken copy is thrown away and stands in nobody's way", async () => {
  const { browser, client, clock } = await ready();
  browser.server = () => answer(503, {});
  client.startModule(module("m"));
  await settled();
  browser.kill();
  const [whole] = browser.caches.texts;
  browser.caches.texts.clear();
  browser.caches.texts.set(`/milepost:${Date.now().toString(36)}-1`, '{"eventN').set(...whole);
  browser.server = persisted;
  await clock.pass(60_000);
  await (await browser.open()).client.identify(ADA);
  await clock.pass(60_000);
  assert.deepEqual([...modules(browser.requests.at(-1)), browser.caches.texts.size], ["m", 0]);
});

test("without the Cache API, or where it fails, everything else is as ever", async () => {
  const refuse = async () => Promise.reject(new Error("SecurityError"));
  const broken = { put: refuse, delete: refuse, keys: refuse, match: refuse };
  for (const [what, caches] of [
    ["none", undefined],
    ["forbidden", { open: refuse }],
    ["full", { open: async () => broken }],
    ["stuck", { open: () => new Promise(() => {}) }],
  ]) {
    const browser = new Browser();
    browser.caches = caches;
    const { client } = await browser.open();
    await client.identify(ADA);
    browser.server = () => answer(503, {});
    client.startModule(module("m1"));
    await settled();
    browser.server = persisted;
    assert.equal(await client.flush(), 0, what);
    client.startModule(module("m2"));
    client.consent(false);
    await settled();
    assert.equal(browser.kept.length, 0, what);
    client.consent(true);
    client.startModule(module("m3"));
    await settled();
    assert.deepEqual(modules(browser.requests.at(-1)), ["m3"], what);
  }
});

test("of more than 200 events the oldest are given up, counted and told", async () => {
  const { browser, client, clock, page } = await ready();
  browser.server = () => answer(503, {});
  const first = client.startModule(module("m0"));
  for (let at = 1; at <= 202; at += 1) {
    clock.now += 1;
    client.startModule(module(`m${at}`));
  }
  await settled();
  assert.equal(browser.kept.length, 200);
  assert.equal(browser.kept[0].payload.module_slug, "m3");
  assert.equal(client.lost, 3);
  const full = page.troubles.filter((t) => t.reason === "full").flatMap((t) => t.eventIds);
  assert.equal(full.length, 3);
  assert.equal(full[0], first);
});

test("an event is given up after seven days, counted and told", async () => {
  const { browser, client, clock, page } = await ready();
  browser.server = () => answer(503, {});
  client.startModule(module("m"));
  await clock.pass(7 * 24 * 3_600_000 - 60_000);
  assert.equal(browser.kept.length, 1);
  await clock.pass(180_000);
  assert.equal(browser.kept.length, 0);
  assert.equal(client.lost, 1);
  assert.equal(page.troubles.at(-1).reason, "expired");
});

test("an event that is too long is given up at once", async () => {
  const { browser, client, page } = await ready();
  client.enroll({ pathway: "p", source: "x".repeat(10_000) });
  await settled();
  assert.deepEqual([browser.requests.length, browser.kept.length, client.lost], [0, 0, 1]);
  assert.equal(page.troubles[0].reason, "size");
});

test("without consent nothing is kept or sent, on no page, until it is given", async () => {
  const { browser, client, clock, page } = await ready();
  browser.server = () => answer(503, {});
  client.startModule(module("m1"));
  await settled();
  const sent = browser.requests.length;
  client.consent(false);
  assert.equal(browser.kept.length, 0);
  const other = await browser.open();
  await other.client.identify(ADA);
  for (const one of [client, other.client]) {
    assert.equal(one.startModule(module("m2")), undefined);
    await one.flush();
  }
  await page.hide();
  await clock.pass(600_000);
  assert.deepEqual([browser.requests.length, browser.kept.length], [sent, 0]);
  assert.equal(client.lost, 0);

  browser.server = persisted;
  other.client.consent(true);
  client.startModule(module("m3"));
  await settled();
  assert.deepEqual(modules(browser.requests.at(-1)), ["m3"]);
});

test("an answer that comes after consent is withdrawn brings nothing back", async () => {
  const { browser, client, clock } = await ready();
  let go;
  browser.server = () => new Promise((done) => (go = () => done(answer(503, {}))));
  client.startModule(module("m1"));
  await settled();
  client.consent(false);
  go();
  await clock.pass(60_000);
  assert.deepEqual([browser.requests.length, browser.kept.length], [1, 0]);
});

test("a page can start with or without consent", async () => {
  const browser = new Browser();
  const without = await browser.open({ consent: false });
  without.client.startModule(module("m"));
  assert.equal(browser.kept.length, 0);
  const given = await browser.open({ consent: true });
  given.client.startModule(module("m"));
  assert.equal(browser.kept.length, 1);
});

test("an event waits until it is said whose it is, over pages too", async () => {
  const browser = new Browser();
  const first = await browser.open();
  first.client.startModule(module("m1"));
  await browser.clock.pass(60_000);
  assert.equal(browser.requests.length, 0);
  const second = await browser.open();
  await second.client.identify({ contactId: 123 });
  assert.deepEqual(browser.requests[0].json.events[0].contactIdentifier, { contactId: "123" });
  assert.equal(browser.kept.length, 0);
});

test("nobody can be said to be the one", async () => {
  const browser = new Browser();
  browser.server = () => answer(200, { status: "logged", mode: "anonymous" });
  const { client } = await browser.open();
  client.startModule(module("m1"));
  await client.identify();
  assert.equal(browser.requests[0].json.events[0].contactIdentifier, undefined);
  assert.equal(browser.kept.length, 0);
});

test("a token is in the body, once, and never in storage", async () => {
  const browser = new Browser();
  const { client } = await browser.open();
  const ada = token({ contactId: "7", email: "ada@example.com" });
  await client.identify({ token: ada });
  client.startModule(module("m1"));
  assert.ok(!JSON.stringify(browser.storage).includes(ada));
  await settled();
  const { json } = browser.requests[0];
  assert.equal(json.token, ada);
  assert.equal(json.events[0].contactIdentifier, undefined);
});

test("an event is sent with no token but its person's, the newest one", async () => {
  const { browser, client, clock } = await ready();
  const ada = { contactId: "7", email: "ada@example.com" };
  await client.identify({ token: token(ada) });
  browser.server = () => answer(401, { error: "Invalid or expired token" });
  client.startModule(module("hers"));
  await settled();
  browser.server = persisted;
  // Names in Latin-1 make `-` and `_` in base64url.
  await client.identify({ token: token({ contactId: "8", name: "ÿþ>?ÿÿ" }) });
  client.startModule(module("his"));
  await clock.pass(60_000);
  assert.deepEqual(browser.requests.slice(1).map(modules), [["his"]]);
  await client.identify();
  await clock.pass(60_000);
  assert.equal(browser.requests.length, 2);
  const fresh = token({ ...ada, exp: 1 });
  await client.identify({ token: fresh });
  await clock.pass(20_000);
  assert.deepEqual(modules(browser.requests.at(-1)), ["hers"]);
  assert.equal(browser.requests.at(-1).json.token, fresh);
  assert.equal(browser.kept.length, 0);
});

test("a token that can't be read is the server's to judge", async () => {
  const { browser, client } = await ready();
  await client.identify({ token: "opaque" });
  client.startModule(module("m"));
  await settled();
  assert.equal(browser.requests[0].json.token, "opaque");
});

test("flush says how many events still wait", async () => {
  const { browser, client } = await ready();
  browser.server = () => answer(503, {});
  client.startModule(module("m1"));
  client.startModule(module("m2"));
  assert.equal(await client.flush(), 2);
  browser.server = persisted;
  assert.equal(await client.flush(), 0);
});

test("a page that is back in the network sends at once", async () => {
  const { browser, client, page } = await ready();
  browser.server = () => answer(503, {});
  client.startModule(module("m1"));
  await settled();
  browser.server = persisted;
  await page.fire("online");
  assert.equal(browser.kept.length, 0);
});

test("what is broken in storage is thrown away and stands in nobody's way", async () => {
  const { browser, client, clock } = await ready();
  browser.storage["milepost:aaaaaaaa-1"] = "{";
  browser.storage["milepost:mk000000-1"] = "{";
  browser.storage["somebody else's"] = "{";
  await client.identify(ADA);
  client.startModule(module("m1"));
  await clock.pass(60_000);
  assert.deepEqual(Object.keys(browser.storage), ["somebody else's"]);
});

test("a listener that throws stops nothing", async () => {
  const { browser, client, clock } = await ready({
    onError() {
      throw new Error("the page's own");
    },
  });
  browser.server = () => answer(503, {});
  client.startModule(module("m1"));
  await settled();
  browser.server = persisted;
  await clock.pass(60_000);
  assert.equal(browser.kept.length, 0);
  assert.deepEqual(clock.uncaught.map((error) => error.message), ["the page's own"]);
});

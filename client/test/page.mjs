// A page without a browser: its storage, clock, network and events are in the test's hands.
//
// The client takes all of these from the global scope, so a `Page` puts its own there. A second
// page of the same browser shares storage, cache, locks, clock and server with the first.
import { webcrypto } from "node:crypto";

import { milepost } from "../src/milepost.js";

const RealDate = Date;
const START_MS = RealDate.UTC(2026, 0, 18, 17, 30);

/** Time that moves when it is told to. */
export class Clock {
  now = START_MS;
  /** What a timer's function threw. */
  uncaught = [];
  #timers = [];

  install() {
    const clock = this;
    globalThis.Date = class extends RealDate {
      constructor(...args) {
        super(...(args.length > 0 ? args : [clock.now]));
      }
      static now() {
        return clock.now;
      }
    };
    globalThis.setTimeout = (f, ms, ...args) => {
      const timer = { f, at: clock.now + ms };
      if (ms === 0) setImmediate(() => clock.#attempt(f, args));
      else clock.#timers.push(timer);
      return timer;
    };
    globalThis.clearTimeout = (timer) => {
      clock.#timers = clock.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets so much time pass, and everything happen that is due in it. */
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.now = Math.max(this.now, due.at);
      this.#attempt(due.f, []);
    }
    this.now = end;
  }

  forget() {
    this.#timers = [];
  }

  #attempt(f, args) {
    try {
      f(...args);
    } catch (error) {
      this.uncaught.push(error);
    }
  }
}

/** Web Locks with the one option that the client uses. */
class Locks {
  #held = new Set();

  async request(name, { ifAvailable }, f) {
    if (!ifAvailable) throw new Error("only ifAvailable is played");
    if (this.#held.has(name)) return f(null);
    this.#held.add(name);
    try {
      return await f({ name });
    } finally {
      this.#held.delete(name);
    }
  }
}

/** The Cache API with one cache in it, whose work is done in a later turn, or when it may. */
class Caches {
  /** Texts by path. */
  texts = new Map();
  /** While there is such a promise, nothing is written. */
  held;

  async open() {
    const { texts } = this;
    const turn = async () => {
      await new Promise((done) => setImmediate(done));
      await this.held;
    };
    return {
      put: async (path, response) => {
        const text = await response.text();
        await turn();
        texts.set(path, text);
      },
      delete: async (path) => {
        await turn();
        return texts.delete(path);
      },
      keys: async () => [...texts.keys()].map((path) => ({ url: `https://learn.example.com${path}` })),
      match: async (url) => {
        const text = texts.get(new URL(url).pathname);
        return text === undefined ? undefined : new Response(text);
      },
    };
  }
}

/** A browser, and the server that its pages talk to. */
export class Browser {
  clock = new Clock();
  storage = {};
  caches = new Caches();
  locks = new Locks();
  /** Every request: its options, and its body as JSON. */
  requests = [];
  /** What the server does; takes the request, returns `answer(…)`, or throws. */
  server = (request) => persisted(request);

  /** Opens a page with a client in it. */
  async open(options = {}) {
    const page = this.page();
    page.client = milepost({
      url: "https://api.example.com/events/track",
      onError: (trouble) => page.troubles.push(trouble),
      ...options,
    });
    await settled();
    return page;
  }

  /** A page in which no client runs yet. */
  page() {
    const listeners = {};
    const page = {
      troubles: [],
      document: { hidden: false },
      async fire(type) {
        globalThis.document = page.document;
        for (const listener of listeners[type] ?? []) listener();
        await settled();
      },
      async hide() {
        page.document.hidden = true;
        await page.fire("visibilitychange");
      },
    };
    this.clock.install();
    this.#put("localStorage", this.storage);
    this.#put("caches", this.caches);
    this.#put("navigator", { locks: this.locks });
    this.#put("crypto", webcrypto);
    this.#put("document", page.document);
    globalThis.addEventListener = (type, f) => (listeners[type] ??= []).push(f);
    AbortSignal.timeout = () => undefined;
    globalThis.fetch = async (url, options) => {
      const request = { url, ...options, json: JSON.parse(options.body) };
      this.requests.push(request);
      return this.server(request);
    };
    return page;
  }

  #put(name, value) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }

  /** What a `kill -9` leaves: the cache, of the storage nothing, and no page that waits. */
  kill() {
    this.storage = {};
    this.locks = new Locks();
    this.clock.forget();
  }

  /** The modules of the events of which there are copies. */
  get copied() {
    return [...this.caches.texts.values()].map((text) => JSON.parse(text).payload.module_slug).sort();
  }

  /** The events that are kept, oldest first. */
  get kept() {
    return Object.keys(this.storage)
      .filter((key) => key.startsWith("milepost:"))
      .sort()
      .map((key) => JSON.parse(this.storage[key]));
  }
}

/** A server's answer. */
export function answer(status, body, headers = {}) {
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: { get: (name) => headers[name] ?? null },
    json: async () => (typeof body === "string" ? JSON.parse(body) : body),
  };
}

/** The answer to a batch that is stored. */
export function persisted({ json }, { except = [], rejected = [] } = {}) {
  const eventIds = json.events.map((event) => event.eventId).filter((id) => !except.includes(id));
  const accepted = eventIds.length;
  return answer(200, { status: "persisted", mode: "authenticated", accepted, eventIds, rejected });
}

/** Lets everything happen that needs no time. */
export async function settled() {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((done) => setImmediate(done));
}

/** The modules of a request's events. */
export const modules = (request) => request.json.events.map((e) => e.payload.module_slug);

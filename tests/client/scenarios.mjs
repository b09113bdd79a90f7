// What happens to a page while it sends. A scenario makes events in the browser and disturbs it; it
// knows nothing of whether the page has the client or plain beacons.
import { FAULTS } from "./stack.mjs";
import { pause, until } from "./chromium.mjs";

/** How many events one contact gets: a state of HubSpot's holds some hundreds. */
const EVENTS_OF_A_CONTACT = 100;
/** What may wait in the browser: the client keeps 200 for all pages. */
const WAITING_MAX = 120;

/** Numbers that are the same in every run, so that a run can be had again. */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What was made: module by module, who for, and when the page said so. */
export class Ledger {
  made = [];
  /** Those whose page was killed before it could say whether it made them. */
  unknown = new Set();
  /** When the whole browser was killed. */
  killedAt = [];
  #next = 0;

  constructor(name) {
    this.name = name;
  }

  /** So many new modules, of one contact. */
  modules(count) {
    const contact = Math.floor(this.#next / EVENTS_OF_A_CONTACT);
    const email = `${this.name}-${contact}@example.com`;
    const modules = Array.from({ length: count }, (_, at) => `m${this.#next + at}`);
    this.#next += count;
    return { email, modules };
  }

  get count() {
    return this.#next;
  }
}

/** One run of a scenario: where it happens, and its ledger. */
export class Run {
  constructor({ chromium, site, proxy, path, name, random }) {
    Object.assign(this, { chromium, site, proxy, path, random });
    this.ledger = new Ledger(name);
  }

  open(email = "") {
    return this.chromium.open(this.site.page(this.path, this.proxy, { email }));
  }

  /** Makes events in a page. Returns when the page has made them. */
  async make(page, count = 1) {
    const { email, modules } = this.ledger.modules(count);
    for (const module of modules) this.ledger.unknown.add(module);
    await page.evaluate((email, modules) => send(email, modules), email, modules);
    for (const module of modules) {
      this.ledger.unknown.delete(module);
      this.ledger.made.push({ module, email, at: Date.now() });
    }
    return email;
  }

  /** Waits while the browser keeps much; a page with beacons keeps nothing. */
  async room(page) {
    if (this.path !== "/client") return;
    const hasRoom = () => page.evaluate((max) => waiting() < max, WAITING_MAX);
    await until("room in the browser", async () => {
      if (await hasRoom()) return true;
      // The pauses are for a server in trouble that lasts. A test makes it quicker than it heals.
      await page.evaluate(() => client.flush());
      await pause(200);
    });
  }

  between(least, most) {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  /** A fault for each request with this chance. */
  fail(chance, faults) {
    this.proxy.fault = () =>
      this.random() < chance ? faults[this.between(0, faults.length - 1)] : "none";
  }

  heal() {
    this.proxy.fault = () => "none";
  }
}

/** Events in one page after another, a few at a time, as somebody who clicks through a course. */
async function clickThrough(run, count, pageOf = 20) {
  while (run.ledger.count < count) {
    const page = await run.open();
    for (let made = 0; made < pageOf && run.ledger.count < count; ) {
      await run.room(page);
      const some = Math.min(run.between(1, 4), count - run.ledger.count);
      await run.make(page, some);
      made += some;
      await pause(run.between(0, 30));
    }
    await page.close();
  }
}

/** Each has a name, its share of all events, and what happens. */
export const SCENARIOS = [
  {
    name: "all is well",
    share: 0.06,
    play: (run, count) => clickThrough(run, count),
  },
  {
    name: "500, 503, 429 for every second request",
    share: 0.18,
    async play(run, count) {
      run.fail(0.5, FAULTS.filter((fault) => /^\d/.test(fault)));
      await clickThrough(run, count);
    },
  },
  {
    name: "connection cut before or after accepting, slow answers",
    share: 0.18,
    async play(run, count) {
      run.fail(0.6, ["cut before", "cut after", "slow"]);
      await clickThrough(run, count);
    },
  },
  {
    name: "offline now and then",
    share: 0.16,
    async play(run, count) {
      while (run.ledger.count < count) {
        const page = await run.open();
        for (const isOffline of [true, false]) {
          await page.setOfflineMode(isOffline);
          for (let at = 0; at < 10 && run.ledger.count < count; at += 1) {
            await run.make(page, Math.min(2, count - run.ledger.count));
            await pause(run.between(0, 30));
          }
          await run.room(page);
        }
        await page.close();
      }
    },
  },
  {
    name: "server away now and then",
    share: 0.1,
    async play(run, count) {
      while (run.ledger.count < count) {
        const page = await run.open();
        await run.proxy.leave();
        for (let at = 0; at < 15 && run.ledger.count < count; at += 1) await run.make(page);
        await page.close();
        const next = await run.open();
        await run.proxy.comeBack();
        for (let at = 0; at < 15 && run.ledger.count < count; at += 1) await run.make(next);
        await run.room(next);
        await next.close();
      }
    },
  },
  {
    name: "navigation in the turn of the event",
    share: 0.1,
    async play(run, count) {
      run.fail(0.2, FAULTS);
      const page = await run.open();
      while (run.ledger.count < count) {
        await run.room(page);
        const { email, modules } = run.ledger.modules(Math.min(5, count - run.ledger.count));
        const target = `${run.site.page(run.path, run.proxy, { email })}&page=${run.ledger.count}`;
        await Promise.all([
          page.waitForNavigation({ waitUntil: "load" }),
          page.evaluate(
            (email, modules, target) => {
              send(email, modules);
              location.href = target;
            },
            email,
            modules,
            target,
          ),
        ]);
        for (const module of modules) run.ledger.made.push({ module, email, at: Date.now() });
      }
      await page.close();
    },
  },
  {
    name: "eight tabs at once, every third request fails",
    share: 0.16,
    async play(run, count) {
      run.fail(0.33, FAULTS);
      const tabs = await Promise.all(Array.from({ length: 8 }, () => run.open()));
      await Promise.all(
        tabs.map(async (tab) => {
          while (run.ledger.count < count) {
            await run.room(tab);
            await run.make(tab, 1);
            await pause(run.between(0, 60));
          }
        }),
      );
      for (const tab of tabs) await tab.close();
    },
  },
  {
    name: "the tab's process is killed",
    share: 0.04,
    async play(run, count) {
      run.fail(0.33, FAULTS);
      while (run.ledger.count < count) {
        const page = await run.open();
        await run.room(page);
        for (let at = 0; at < 8 && run.ledger.count < count; at += 1) await run.make(page);
        page.once("error", () => {});
        await page.goto("chrome://crash").catch(() => {});
        await page.close();
      }
    },
  },
  {
    name: "kill -9 of the whole browser while the server is away",
    share: 0.06,
    async play(run, count) {
      while (run.ledger.count < count) {
        const page = await run.open();
        await run.proxy.leave();
        for (let at = 0; at < 20 && run.ledger.count < count; at += 1) {
          await run.make(page);
          await pause(run.between(0, 60));
        }
        await pause(run.between(0, 400));
        run.ledger.killedAt.push(Date.now());
        await run.chromium.kill();
        await run.chromium.restart();
        await run.proxy.comeBack();
        const next = await run.open();
        await run.room(next);
        await next.close();
      }
    },
  },
  {
    name: "kill -9 of the whole browser",
    share: 0.06,
    async play(run, count) {
      while (run.ledger.count < count) {
        const page = await run.open();
        const goal = Math.min(count, run.ledger.count + 20);
        let isOver = false;
        const clicking = (async () => {
          while (!isOver && run.ledger.count < goal) {
            await run.make(page);
            await pause(run.between(0, 15));
          }
          // What the page could not speak of any more is made, or not.
        })().catch(() => {});
        await pause(run.between(20, 400));
        isOver = true;
        const at = Date.now();
        await run.chromium.kill();
        await clicking;
        run.ledger.killedAt.push(at);
        await run.chromium.restart();
      }
    },
  },
];

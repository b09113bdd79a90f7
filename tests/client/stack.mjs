// The real `milepost local`, proxies before it that can fail, and the site whose pages call them.
//
// The site and the API are two origins, as they are in production, so CORS is the browser's own.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TRACK = "/events/track";

/** Starts everything on free ports. `backend` is `PROGRESS_BACKEND`. */
export async function start(backend = "properties") {
  const site = await Site.start();
  const origins = [site.origin, site.origin.replace("127.0.0.1", "localhost")];
  const binary = process.env.MILEPOST_BIN ?? here("../../target/debug/milepost");
  const child = spawn(binary, ["local", "--port", "0", "--json", "--window", "0"], {
    cwd: here("../.."),
    env: {
      ...process.env,
      ALLOWED_ORIGINS: origins.join(","),
      HUBSPOT_BURST_LIMIT: "250",
      PROGRESS_BACKEND: backend,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await Promise.race([
    new Promise((done) => createInterface(child.stdout).once("line", (line) => done([line]))),
    new Promise((_, fail) => child.once("error", fail)),
    new Promise((_, fail) =>
      child.once("exit", (code) => fail(new Error(`${binary} ended with ${code}`))),
    ),
  ]);
  const urls = JSON.parse(line);
  const stop = async () => {
    await site.stop();
    child.removeAllListeners("exit");
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGINT");
    await ended;
  };
  const crm = backend === "events" ? new Timeline(urls.portal) : new Crm(urls.portal);
  return { site, crm, urls, stop };
}

/** The pages: one with the client, one with plain beacons, one as the site has them today. */
class Site {
  static async start() {
    const site = new Site();
    const client = await readFile(here("../../client/dist/milepost.js"), "utf8");
    site.server = http.createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, "http://site");
      const page = { "/client": CLIENT_PAGE, "/beacon": BEACON_PAGE, "/old": OLD_PAGE }[pathname];
      if (pathname === "/milepost.js") {
        response.setHeader("content-type", "text/javascript");
        response.end(client);
      } else if (page) {
        response.setHeader("content-type", "text/html");
        response.end(page.replaceAll("API", searchParams.get("api")));
      } else {
        response.statusCode = 404;
        response.end();
      }
    });
    site.origin = `http://127.0.0.1:${await listen(site.server)}`;
    return site;
  }

  /** The address of a page that calls this API. */
  page(path, proxy, { email = "", origin = this.origin } = {}) {
    return `${origin}${path}?${new URLSearchParams({ api: proxy.origin, email })}`;
  }

  stop() {
    return close(this.server);
  }
}

const make = (how) => `<!doctype html><title>page</title><script>
  const send = (email, modules) => { for (const module of modules) { ${how} } };
</script>`;

const CLIENT_PAGE = `<!doctype html><title>page</title><script src="/milepost.js"></script><script>
  const client = milepost({ url: "API${TRACK}" });
  const email = new URL(location).searchParams.get("email");
  if (email) client.identify({ email });
  const waiting = () => Object.keys(localStorage).filter((key) => key.startsWith("milepost:")).length;
  const copies = async () => (await (await caches.open("milepost")).keys()).length;
  const send = (email, modules) => {
    client.identify({ email });
    for (const module of modules) client.completeModule({ module, course: "c", pathway: "p" });
  };
</script>`;

const BEACON_PAGE = make(`
    navigator.sendBeacon("API${TRACK}", JSON.stringify({
      eventName: "learning_module_completed", contactIdentifier: { email },
      pathway_slug: "p", course_slug: "c",
      payload: { module_slug: module, ts: new Date().toISOString() } }));`);

// The present pages: one event a request, typed as JSON, with credentials.
const OLD_PAGE = `<!doctype html><title>page</title><script>
  const body = (contactIdentifier, module) => JSON.stringify({
    eventName: "learning_module_completed", contactIdentifier,
    payload: { module_slug: module, course_slug: "c", pathway_slug: "p", ts: new Date().toISOString() } });
  const byFetch = async (who, module) => (await fetch("API${TRACK}", {
    method: "POST", headers: { "Content-Type": "application/json" }, credentials: "include",
    body: body(who, module) })).json();
  const byBeacon = (who, module) =>
    navigator.sendBeacon("API${TRACK}", new Blob([body(who, module)], { type: "application/json" }));
</script>`;

/** Stands before the API, counts what passes, and fails as it is told. */
export class Proxy {
  /** Every request that came, oldest first: method, type, ids, fault, when, and what was accepted. */
  requests = [];
  /** How often each event id was accepted by Milepost, and the modules of these events. */
  accepted = new Map();
  stored = new Set();
  /** Chooses the fate of a request: see `FAULTS`. */
  fault = () => "none";
  /** Whether nobody listens. */
  isAway = false;

  static async start(api) {
    const proxy = new Proxy();
    proxy.api = new URL(api);
    proxy.server = http.createServer((request, response) => proxy.#pass(request, response));
    proxy.port = await listen(proxy.server);
    proxy.origin = `http://127.0.0.1:${proxy.port}`;
    return proxy;
  }

  async stop() {
    if (!this.isAway) await close(this.server);
  }

  /** Closes the port: connections are refused. */
  async leave() {
    this.isAway = true;
    await close(this.server);
  }

  /** Opens the same port again. */
  async comeBack() {
    await listen(this.server, this.port);
    this.isAway = false;
  }

  async #pass(request, response) {
    const chunks = [];
    request.on("error", () => {});
    response.on("error", () => {});
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks);
    const isEvent = request.method === "POST" && request.url === TRACK;
    const fault = isEvent ? this.fault() : "none";
    const seen = { method: request.method, type: request.headers["content-type"], fault };
    Object.assign(seen, { at: Date.now(), ids: isEvent ? ids(body) : [], accepted: 0 });
    this.requests.push(seen);
    if (fault === "cut before") return request.socket.destroy();
    const status = STATUSES[fault];
    if (status) {
      response.writeHead(status, {
        "access-control-allow-origin": request.headers.origin ?? "*",
        "access-control-expose-headers": "Retry-After",
        ...(status === 429 ? { "retry-after": "1" } : {}),
      });
      return response.end('{"error":"on purpose"}');
    }
    const answer = await this.#forward(request, body);
    if (isEvent) {
      const { eventIds, eventId } = JSON.parse(answer.body);
      for (const id of eventIds ?? [eventId].filter(Boolean)) {
        this.accepted.set(id, (this.accepted.get(id) ?? 0) + 1);
        seen.accepted += 1;
      }
      if (seen.accepted > 0) for (const module of modules(body)) this.stored.add(module);
    }
    if (fault === "cut after") return request.socket.destroy();
    if (fault === "slow") await new Promise((done) => setTimeout(done, 300));
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  }

  #forward({ method, url, headers }, body) {
    return new Promise((done, fail) => {
      const { hostname: host, port } = this.api;
      const onward = http.request({ host, port, method, path: url, headers }, async (answer) => {
        let text = "";
        for await (const chunk of answer) text += chunk;
        done({ status: answer.statusCode, headers: answer.headers, body: text });
      });
      onward.on("error", fail);
      onward.end(body);
    });
  }
}

const STATUSES = { 500: 500, 503: 503, "429, Retry-After: 1": 429 };

/** What a request may meet, beside `none`. */
export const FAULTS = ["cut before", "cut after", "slow", ...Object.keys(STATUSES)];

function ids(body) {
  try {
    const { events, eventId } = JSON.parse(body);
    return events?.map((event) => event.eventId) ?? [eventId];
  } catch {
    return [];
  }
}

function modules(body) {
  const { events, ...event } = JSON.parse(body);
  return (events ?? [event]).map(({ payload }) => payload.module_slug);
}

/** The simulated HubSpot. */
class Crm {
  constructor(portal) {
    this.portal = portal;
  }

  /** The completed modules of every contact, by e-mail, and the total that HubSpot shows. */
  async contacts() {
    const held = new Map();
    for (let offset = 0; ; offset += 1_000) {
      const page = await fetch(`${this.portal}/_portal/contacts?limit=1000&offset=${offset}`);
      const { contacts } = await page.json();
      for (const { email, properties } of contacts) {
        const state = JSON.parse(properties.hhl_progress_state || "{}");
        const modules = Object.entries(state.p?.courses.c?.modules ?? {});
        const completed = modules.filter(([, { completed }]) => completed).map(([slug]) => slug);
        held.set(email, { completed, total: Number(properties.hhl_total_progress ?? 0) });
      }
      if (contacts.length < 1_000) return held;
    }
  }

  /** Adds a contact; its id. */
  async add(properties) {
    const answer = await fetch(`${this.portal}/_portal/contacts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(properties),
    });
    const { id } = await answer.json();
    return String(id);
  }
}

/** The simulated HubSpot where each event is one of its own: `PROGRESS_BACKEND=events`. */
class Timeline {
  constructor(portal) {
    this.portal = portal;
  }

  /** The completed modules of every contact, by e-mail, and how many events were counted. */
  async contacts() {
    const held = new Map();
    const { events } = await (await fetch(`${this.portal}/_portal/events`)).json();
    for (const { email, properties } of events) {
      const of = held.get(email) ?? { completed: [], total: 0 };
      if (!of.completed.includes(properties.module)) of.completed.push(properties.module);
      of.total += 1;
      held.set(email, of);
    }
    return held;
  }
}

async function listen(server, port = 0) {
  await new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", fail);
      done();
    });
  });
  return server.address().port;
}

async function close(server) {
  const closed = new Promise((done) => server.close(done));
  server.closeAllConnections();
  await closed;
}

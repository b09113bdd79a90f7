// Plays every scenario three times and compares what the pages made with what HubSpot holds: with
// the client, with the client where each event is counted by HubSpot itself
// (`PROGRESS_BACKEND=events`; the state is a join, which would hide a double), with plain beacons.
//
//     node faults.mjs [EVENTS] [SEED]        500 by default
//
// Of the client's events all must be in HubSpot, each once, as many as Milepost accepted, and no
// preflight on the wire, but for one case, which has a column of its own, `cut off`: when the whole
// browser is killed, what it made in the last moment may be neither at the server nor on disk. Such
// an event must be one that Milepost never accepted, and made less than `KEEPING_MS` before; how long
// before is printed. What plain beacons lose is measured and not judged.
import { Chromium, pause, until } from "./chromium.mjs";
import { dice, Run, SCENARIOS } from "./scenarios.mjs";
import { Proxy, start } from "./stack.mjs";

/** How long it may take until an event is on disk or at the server, from the return of the call. */
const KEEPING_MS = 100;

/** Who plays, on which backend, and with what share of the events. */
const PLAYERS = [
  { title: "client", path: "/client", backend: "properties", share: 1 },
  { title: "client, events backend", path: "/client", backend: "events", share: 0.25 },
  { title: "plain sendBeacon", path: "/beacon", backend: "properties", share: 0.25 },
];

const events = Number(process.argv[2] ?? 500);
const seed = Number(process.argv[3] ?? 1);

const stacks = { properties: await start(), events: await start("events") };
const rows = [];
try {
  // Much of it is waiting: three browsers at a time.
  const parts = SCENARIOS.flatMap((scenario, at) =>
    PLAYERS.map((player) => async () => {
      const count = Math.ceil(events * scenario.share * player.share);
      rows.push(await play(player, scenario, count, `${player.path.slice(1)}-${at}`));
    }),
  );
  const lane = async () => {
    for (let part; (part = parts.shift()); ) await part();
  };
  await Promise.all([lane(), lane(), lane()]);
} finally {
  for (const stack of Object.values(stacks)) await stack.stop();
}
process.exitCode = tell(rows) ? 0 : 1;

/** Plays one scenario, lets everything come to rest, and counts. */
async function play({ title, path, backend }, scenario, count, name) {
  const { site, crm, urls } = stacks[backend];
  const proxy = await Proxy.start(urls.api);
  const began = Date.now();
  const chromium = await Chromium.start();
  const run = new Run({ chromium, site, proxy, path, name, random: dice(seed) });
  try {
    await scenario.play(run, count);
    run.heal();
    await rest(run);
  } finally {
    await chromium.stop();
    await proxy.stop();
  }
  const { made, unknown, killedAt } = run.ledger;
  const msBeforeKill = ({ at }) => Math.min(...killedAt.map((kill) => kill - at).filter((ms) => ms >= 0));
  const isCutOff = (event) => !proxy.stored.has(event.module) && msBeforeKill(event) < KEEPING_MS;

  // HubSpot follows within seconds; what is not there after that is lost.
  let held;
  const mine = () => [...held].filter(([email]) => email.startsWith(`${name}-`)).map(([, of]) => of);
  const counted = () => mine().reduce((sum, { total }) => sum + total, 0);
  const missing = () => made.filter(({ email, module }) => !held.get(email)?.completed.includes(module));
  for (let tries = 0; tries < (path === "/client" ? 100 : 20); tries += 1) {
    held = await crm.contacts();
    if (missing().every(isCutOff) && counted() >= proxy.accepted.size) break;
    await pause(200);
  }
  const known = new Set([...made.map(({ module }) => module), ...unknown]);
  const { requests } = proxy;
  return {
    title,
    scenario: scenario.name,
    made: made.length,
    lost: missing().filter((event) => !isCutOff(event)).length,
    cutOff: missing().filter(isCutOff).length,
    cutOffMs: missing().filter(isCutOff).map(msBeforeKill),
    doubled: mine().reduce((sum, { completed, total }) => sum + Math.max(0, total - completed.length), 0),
    uncounted: Math.abs(proxy.accepted.size - counted()),
    strange: mine().flatMap(({ completed }) => completed).filter((module) => !known.has(module)).length,
    again: [...proxy.accepted.values()].filter((times) => times > 1).length,
    requests: requests.filter(({ method }) => method === "POST").length,
    preflights: requests.filter(({ method }) => method === "OPTIONS").length,
    seconds: (Date.now() - began) / 1e3,
  };
}

/** A page of the client's sends all that earlier ones left. A beacon has nothing to send again. */
async function rest(run) {
  const page = await run.open();
  if (run.path === "/client") {
    await until(
      "nothing waits in the browser",
      () => page.evaluate(async () => (await client.flush()) + waiting() + (await copies()) === 0),
      90,
    );
  } else await pause(500);
  await page.close();
}

/** Prints the table. Whether the client kept its word. */
function tell(rows) {
  const cells = ["made", "lost", "cutOff", "doubled", "again", "requests", "preflights", "seconds"];
  const heads = ["made", "lost", "cut off", "doubled", "again", "requests", "preflights", "s"];
  const line = (name, row) =>
    name.padEnd(60) + row.map((cell, at) => String(cell).padStart(Math.max(heads[at].length, 4) + 2)).join("");
  const sum = (rows, cell) => rows.reduce((sum, row) => sum + row[cell], 0);
  for (const { title } of PLAYERS) {
    const order = SCENARIOS.map(({ name }) => name);
    const of = rows
      .filter((row) => row.title === title)
      .sort((a, b) => order.indexOf(a.scenario) - order.indexOf(b.scenario));
    console.log(`\n${line(title, heads)}`);
    for (const row of of) {
      console.log(line(`  ${row.scenario}`, cells.map((cell) => Math.round(row[cell]))));
    }
    console.log(line("  all", cells.map((cell) => Math.round(sum(of, cell)))));
    const ages = of.flatMap(({ cutOffMs }) => cutOffMs).sort((a, b) => a - b);
    if (ages.length > 0) console.log(`  cut off so many ms after they were made: ${ages.join(", ")}`);
  }
  console.log(`
lost: made, and not in HubSpot. cut off: the same, of events that never reached the server because
the whole browser was killed less than ${KEEPING_MS} ms after they were made. doubled: counted twice in
HubSpot. again: accepted more than once on the wire, under one id, which counts once. seed ${seed}`);
  const client = rows.filter((row) => row.title.startsWith("client"));
  const wrong = ["lost", "doubled", "uncounted", "strange", "preflights"].filter((cell) => sum(client, cell) > 0);
  for (const cell of wrong) console.error(`error: ${cell} is ${sum(client, cell)}, and must be 0`);
  return wrong.length === 0;
}

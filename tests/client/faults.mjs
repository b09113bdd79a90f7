// Plays every scenario twice, with the client and with plain beacons, and compares what the pages
// made with what HubSpot holds.
//
//     node faults.mjs [EVENTS] [SEED]        500 by default
//
// Of the client's events all must be in HubSpot, each once, and no preflight on the wire, but for one
// case, which has a column of its own, `cut off`: when the whole browser is killed, what it made in
// the last moment may be neither at the server nor on disk (Chromium writes localStorage to disk
// seconds later). Such an event must be one that Milepost never accepted, and made less than
// `SENDING_MS` before; how long before is printed. What plain beacons lose is measured and not judged.
import { Chromium, pause, until } from "./chromium.mjs";
import { dice, Run, SCENARIOS } from "./scenarios.mjs";
import { Proxy, start } from "./stack.mjs";

/**
 * How long it may take from the call to the server. On a quiet machine half the events are there
 * before the call has returned to the driver, and the slowest of 600 took 147 ms, of plain beacons
 * 133 ms; with three browsers on two cores it takes longer.
 */
const SENDING_MS = 1_000;

const events = Number(process.argv[2] ?? 500);
const seed = Number(process.argv[3] ?? 1);

const stack = await start();
const rows = [];
try {
  // Much of it is waiting: three browsers at a time.
  const parts = SCENARIOS.flatMap((scenario, at) =>
    [["/client", 1], ["/beacon", 0.25]].map(([path, share]) => async () => {
      const count = Math.ceil(events * scenario.share * share);
      rows.push(await play(path, scenario, count, `${path.slice(1)}-${at}`));
    }),
  );
  const lane = async () => {
    for (let part; (part = parts.shift()); ) await part();
  };
  await Promise.all([lane(), lane(), lane()]);
} finally {
  await stack.stop();
}
process.exitCode = tell(rows) ? 0 : 1;

/** Plays one scenario, lets everything come to rest, and counts. */
async function play(path, scenario, count, name) {
  const { site, crm } = stack;
  const proxy = await Proxy.start(stack.urls.api);
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
  const isCutOff = (event) => !proxy.stored.has(event.module) && msBeforeKill(event) < SENDING_MS;

  // HubSpot follows within seconds; what is not there after that is lost.
  let held;
  const missing = () => made.filter(({ email, module }) => !held.get(email)?.completed.includes(module));
  for (let tries = 0; tries < (path === "/client" ? 100 : 20); tries += 1) {
    held = await crm.contacts();
    if (missing().every(isCutOff)) break;
    await pause(200);
  }
  const known = new Set([...made.map(({ module }) => module), ...unknown]);
  const mine = [...held].filter(([email]) => email.startsWith(`${name}-`)).map(([, of]) => of);
  const { requests } = proxy;
  return {
    path,
    scenario: scenario.name,
    made: made.length,
    lost: missing().filter((event) => !isCutOff(event)).length,
    cutOff: missing().filter(isCutOff).length,
    cutOffMs: missing().filter(isCutOff).map(msBeforeKill),
    doubled: mine.reduce((sum, { completed, total }) => sum + Math.max(0, total - completed.length), 0),
    strange: mine.flatMap(({ completed }) => completed).filter((module) => !known.has(module)).length,
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
      () => page.evaluate(async () => (await client.flush()) === 0 && waiting() === 0),
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
  for (const [path, title] of [
    ["/client", "client"],
    ["/beacon", "plain sendBeacon"],
  ]) {
    const order = SCENARIOS.map(({ name }) => name);
    const of = rows
      .filter((row) => row.path === path)
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
the whole browser was killed less than ${SENDING_MS} ms after they were made. doubled: counted twice in
HubSpot. again: accepted more than once on the wire, under one id, which counts once. seed ${seed}`);
  const client = rows.filter((row) => row.path === "/client");
  const wrong = ["lost", "doubled", "strange", "preflights"].filter((cell) => sum(client, cell) > 0);
  for (const cell of wrong) console.error(`error: ${cell} is ${sum(client, cell)}, and must be 0`);
  return wrong.length === 0;
}

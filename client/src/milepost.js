/**
 * The client in the page: it keeps every event until Milepost says that it is stored.
 *
 * An event is written to localStorage, under a key of its own, before it is sent. A page sends its
 * own events at once, as `text/plain` with `keepalive`: no preflight, and the request outlives the
 * page. What other pages left behind is sent by one page at a time, under a Web Lock. An event whose
 * answer was lost is sent again under its id, which counts once.
 *
 * Invariant: an event is erased only when the server said `persisted` or `anonymous` of it, when
 * the server refused it for good, when it is one too many, too old or too long (these are counted in
 * `lost` and told to `onError`), or when consent is withdrawn.
 */

/** Begins the key of an event in localStorage; its id follows. */
const EVENT = "milepost:";
/** The key of the time until which the server asked to be left alone, for all pages. */
const ASKED = "milepost-asked";
/** The key that is there while consent is withdrawn. */
const OFF = "milepost-off";

const EVENTS_MAX = 200;
const AGE_MS_MAX = 7 * 24 * 3600e3;
/** Of one event, and of a batch: the server's limits. */
const EVENT_BYTES_MAX = 10e3;
const BATCH_EVENTS_MAX = 50;
/**
 * Of all bodies in flight. A browser allows a page 65,536 bytes of `keepalive` bodies at a time;
 * the rest is room for a token.
 */
const FLYING_BYTES_MAX = 60e3;
/** How long an answer may take, and how long another page's event is left to that page. */
const PATIENCE_MS = 10e3;
/** Of the pause after a failure, and of one that the server asks for. */
const PAUSE_MS_MAX = 60e3;
const ASKED_MS_MAX = 3600e3;

/** Refusals of what was sent: 400 to 499, but for 401, 404, 405, 408, 425 and 429, which pass. */
const REFUSED = /^4(?!0[1458]|2[59])/;

/** How a run goes about it; without a mode it waits until the pause is over. */
const HASTY = 1;
/** As hasty, and without waiting for the answers. */
const LEAVING = 2;

/** Starts a client; `milepost.d.ts` describes it. */
const milepost = ({ url, consent: allowed, onError }) => {
  // What localStorage does not take (it is full, or forbidden) is kept here, as long as the page is.
  const memory = {};
  let storage = memory;
  try {
    storage = localStorage || memory;
  } catch {}

  /** Keys of events: those made on this page, and those on their way from it. */
  const mine = new Set();
  const flying = new Set();
  let bytesFlying = 0;
  let batchMax = BATCH_EVENTS_MAX;
  let failures = 0;
  let pausedUntil = 0;
  let lost = 0;
  /** Everything that was begun is over when this is. */
  let sent;
  let timer;
  let token;
  /** What an event gets to say whose it is. `as` is empty where no token is needed. */
  let who;

  const read = (key) => storage[key] ?? memory[key];
  const write = (key, value) => {
    try {
      storage[key] = value;
    } catch {
      memory[key] = value;
    }
  };
  const erase = (key) => {
    delete storage[key];
    delete memory[key];
  };
  const waiting = () =>
    [...new Set([...Object.keys(storage), ...Object.keys(memory)])]
      .filter((key) => key.startsWith(EVENT))
      .sort();

  const idOf = (key) => key.slice(EVENT.length);
  /** An id begins with its time in base 36, so keys in order are events in order. */
  const ageOf = (key) => Date.now() - parseInt(idOf(key), 36);
  const bytesOf = (text) => new Blob([text]).size;

  const report = (reason, keys, status, details) =>
    // In a turn of its own: what the page's function throws must not stop the sending.
    onError && setTimeout(onError, 0, { reason, eventIds: keys.map(idOf), status, details });
  const lose = (reason, keys, status, details) => {
    if (keys[0]) {
      keys.map(erase);
      lost += keys.length;
      report(reason, keys, status, details);
    }
  };
  const trim = () => {
    lose("expired", waiting().filter((key) => ageOf(key) > AGE_MS_MAX));
    lose("full", waiting().slice(0, -EVENTS_MAX));
  };

  /** For how many milliseconds nothing may be sent. */
  const pause = (mode) => {
    const left = Math.max(read(ASKED) || 0, mode ? 0 : pausedUntil) - Date.now();
    // One that is longer than any that is ever set comes of a clock that was put back.
    return left > 0 && left < ASKED_MS_MAX + PAUSE_MS_MAX ? left : 0;
  };
  const setPause = (retryAfter) => {
    const asked = 1e3 * retryAfter || Date.parse(retryAfter) - Date.now();
    // Requests that fail together are one failure.
    if (!pause()) {
      const longest = Math.min(PAUSE_MS_MAX, 500 * 2 ** ++failures);
      pausedUntil = Date.now() + Math.random() * longest;
    }
    if (asked > 0) write(ASKED, pausedUntil + Math.min(asked, ASKED_MS_MAX));
  };
  const arm = () => {
    clearTimeout(timer);
    if (waiting()[0]) timer = setTimeout(cycle, pause() || PATIENCE_MS);
  };

  /** The next batch: events of one person, as many as may fly. */
  const pick = (isSweep) => {
    const batch = { keys: [], events: [], bytes: 0 };
    const keys = waiting().filter(
      (key) => !flying.has(key) && (isSweep ? !mine.has(key) && ageOf(key) > PATIENCE_MS : mine.has(key)),
    );
    // After a failure, in any order: an event that always fails must not stand before the others.
    if (batchMax < BATCH_EVENTS_MAX) keys.sort(() => Math.random() - 0.5);
    for (const key of keys) {
      try {
        const event = read(key);
        const { as } = JSON.parse(event);
        // Nobody's yet, or somebody's whose token is not here: it waits.
        if (as == null || (as && as != who?.as) || (batch.as ??= as) != as) continue;
        const bytes = bytesOf(event) + 1;
        if (batch.keys.length == batchMax || bytesFlying + batch.bytes + bytes > FLYING_BYTES_MAX) break;
        batch.keys.push(key);
        batch.events.push(event);
        batch.bytes += bytes;
      } catch {
        erase(key);
      }
    }
    return batch;
  };

  /** Sends a batch and settles each event of it. Whether there is reason to go on. */
  const post = async ({ keys, events, bytes, as }) => {
    let status = 0;
    let retryAfter;
    keys.map((key) => flying.add(key));
    bytesFlying += bytes;
    try {
      const response = await fetch(url, {
        method: "POST",
        body: `{"events":[${events}]${as ? `,"token":${JSON.stringify(token)}` : ""}}`,
        keepalive: true,
        signal: AbortSignal.timeout?.(PATIENCE_MS),
      });
      status = response.status;
      retryAfter = response.headers.get("retry-after");
      const answer = await response.json();
      for (const { index, code, details } of answer.rejected || []) {
        if (code == "NO_IDENTITY") erase(keys[index]);
        else if (code != "FALLBACK") lose("refused", [keys[index]], status, details);
      }
      if (response.ok) {
        keys.map((key) => {
          if (
            answer.mode == "anonymous" ||
            (answer.status == "persisted" && answer.eventIds.includes(idOf(key)))
          )
            erase(key);
        });
      }
    } catch {}
    keys.map((key) => flying.delete(key));
    bytesFlying -= bytes;

    const left = keys.filter(read);
    const isRefused = REFUSED.test(status);
    if (!left[0]) {
      batchMax = Math.min(BATCH_EVENTS_MAX, batchMax * 2);
      failures = pausedUntil = 0;
    } else {
      // Half of it next time: whichever event it is that fails, it will soon fail alone.
      batchMax = keys.length >> 1 || 1;
      if (!isRefused) {
        setPause(retryAfter);
        report("retry", left, status);
      } else if (!keys[1]) lose("refused", left, status);
    }
    arm();
    return !left[0] || isRefused;
  };

  const run = async (isSweep, mode) => {
    // Events of one turn go in one batch; a page that leaves has no other turn.
    if (mode != LEAVING) await 0;
    for (let batch; !read(OFF) && !pause(mode) && (batch = pick(isSweep)).keys[0]; ) {
      const posted = post(batch);
      if (mode != LEAVING && !(await posted)) break;
    }
    arm();
  };
  const cycle = async (mode) => {
    trim();
    await (sent = Promise.all([sent, run(0, mode)]));
    if (pick(1).keys[0]) {
      const { locks } = navigator;
      const sweep = (lock) => lock && run(1, mode);
      // Without locks two pages may send the same event, which counts once.
      await (locks
        ? locks.request("milepost", { ifAvailable: true }, sweep).catch(() => {})
        : sweep(1));
    }
    return waiting().length;
  };

  const track = (eventName, { pathway, course, module, source, type, slug } = {}) => {
    if (read(OFF)) return;
    const now = new Date();
    const eventId = (+now).toString(36) + "-" + crypto.getRandomValues(new Uint32Array(3)).join("-");
    const key = EVENT + eventId;
    const event = JSON.stringify({
      ...who,
      eventName,
      eventId,
      pathway_slug: pathway,
      course_slug: course,
      enrollment_source: source,
      payload: { module_slug: module, content_type: type, slug, ts: now },
    });
    if (bytesOf(event) > EVENT_BYTES_MAX) lose("size", [key]);
    else {
      mine.add(key);
      write(key, event);
      cycle();
    }
    return eventId;
  };
  const call = (name) => (what) => track("learning_" + name, what);

  const identify = (person = {}) => {
    const { email, contactId } = person;
    who = { as: "" };
    token = person.token;
    if (token) {
      // The server checks it; this only tells people apart.
      try {
        const claims = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
        const { contactId, email } = JSON.parse(atob(claims));
        who.as += contactId || email;
      } catch {
        who.as = "?";
      }
    } else if (email || contactId) {
      who.contactIdentifier = { email, contactId: contactId && "" + contactId };
    }
    // What happened before anybody was named is theirs.
    for (const key of waiting()) {
      try {
        const event = JSON.parse(read(key));
        if (event.as == null) write(key, JSON.stringify({ ...event, ...who }));
      } catch {}
    }
    return cycle(HASTY);
  };

  const consent = (isGiven) => {
    if (isGiven) {
      erase(OFF);
      cycle();
    } else {
      write(OFF, 1);
      waiting().map(erase);
    }
  };

  const leave = () => run(0, LEAVING);
  addEventListener("pagehide", leave);
  addEventListener("visibilitychange", () => (document.hidden ? leave() : cycle()));
  addEventListener("online", () => cycle(HASTY));
  if (allowed == null) cycle();
  else consent(allowed);

  return {
    enroll: (what) => call(what.course ? "course_enrolled" : "pathway_enrolled")(what),
    startModule: call("module_started"),
    completeModule: call("module_completed"),
    viewPage: call("page_viewed"),
    track,
    identify,
    consent,
    flush: () => cycle(HASTY),
    get lost() {
      return lost;
    },
  };
};

export { milepost };

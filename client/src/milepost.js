/**
 * The client in the page: it keeps every event until Milepost says that it is stored.
 *
 * An event is written to localStorage, under a key of its own, before it is sent. A page sends its
 * own events at once, as `text/plain` with `keepalive`: no preflight, and the request outlives the
 * page. What other pages left behind is sent by one page at a time, under a Web Lock. An event whose
 * answer was lost is sent again under its id, which counts once.
 *
 * A browser may write localStorage to disk a minute later, and the Cache API within milliseconds. So
 * each event has a copy there, for the next start after the whole browser was killed.
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
  /** The cache with the copies, or nothing: it is forbidden in some private modes, and without TLS. */
  let copies;
  try {
    storage = localStorage || memory;
    copies = caches.open("milepost");
  } catch {}

  /** Keys of events: those made on this page, and those on their way from it. */
  const mine = new Set();
  const flying = new Set();
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
  /** Makes the copy of an event what the event is, whatever becomes of it meanwhile. */
  const copy = async (key) => {
    const event = read(key);
    try {
      const cache = await copies;
      await (event ? cache.put("/" + key, new Response(event)) : cache.delete("/" + key));
      if (read(key) != event) copy(key);
    } catch {}
  };
  const keep = (key, event) => {
    write(key, event);
    copy(key);
  };
  const erase = (key) => {
    delete storage[key];
    delete memory[key];
    copy(key);
  };
  const waiting = () =>
    Object.keys({ ...storage, ...memory })
      .filter((key) => key.startsWith(EVENT))
      .sort();
  /** Brings back the events of which only the copy is left; without consent, erases them. */
  const restore = async () => {
    try {
      const cache = await copies;
      for (const { url } of await cache.keys()) {
        const key = url.split("/")[3];
        try {
          const event = await (await cache.match(url)).text();
          if (!read(key)) write(key, event);
        } catch {}
        // Asked last: consent may have been withdrawn while the copy was read.
        if (read(OFF)) erase(key);
      }
    } catch {}
    cycle();
  };

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
    return left > 0 && left < ASKED_MS_MAX + PAUSE_MS_MAX && left;
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
    let room = FLYING_BYTES_MAX - bytesOf([...flying].map(read));
    let whose;
    return (
      waiting()
        // After a failure, in any order: an event that always fails must not stand before the others.
        .sort(() => batchMax < BATCH_EVENTS_MAX && Math.random() - 0.5)
        .filter((key) => {
          try {
            const event = read(key);
            const { as } = JSON.parse(event);
            return (
              !flying.has(key) &&
              (isSweep ? !mine.has(key) && ageOf(key) > PATIENCE_MS : mine.has(key)) &&
              // Nobody's yet, or somebody's whose token is not here: it waits.
              (as ? as == who?.as : as == "") &&
              (whose ??= as) == as &&
              (room -= bytesOf(event) + 1) >= 0
            );
          } catch {
            erase(key);
          }
        })
        .slice(0, batchMax)
    );
  };

  /** Sends a batch, settles each event of it, and the next one while there is reason to. */
  const send = async (isSweep, mode) => {
    // Events of one turn go in one batch; a page that leaves has no other turn.
    if (mode != LEAVING) await 0;
    const keys = pick(isSweep);
    const events = keys.map(read);
    if (!keys[0] || read(OFF) || pause(mode)) return arm();
    let response = { status: 0 };
    keys.map(flying.add, flying);
    try {
      const going = fetch(url, {
        method: "POST",
        body: `{"events":[${events}]${
          JSON.parse(events[0]).as ? `,"token":${JSON.stringify(token)}` : ""
        }}`,
        keepalive: true,
        signal: AbortSignal.timeout?.(PATIENCE_MS),
      });
      if (mode == LEAVING) send(isSweep, mode);
      response = await going;
      const answer = await response.json();
      for (const { index, code, details } of answer.rejected || []) {
        if (code == "NO_IDENTITY") erase(keys[index]);
        else if (code != "FALLBACK") lose("refused", [keys[index]], response.status, details);
      }
      if (response.ok) {
        if (answer.mode == "anonymous") keys.map(erase);
        if (answer.status == "persisted") answer.eventIds.map((id) => erase(EVENT + id));
      }
    } catch {}
    keys.map(flying.delete, flying);

    const left = keys.filter(read);
    const isRefused = REFUSED.test(response.status);
    if (!left[0]) {
      batchMax = Math.min(BATCH_EVENTS_MAX, batchMax * 2);
      failures = pausedUntil = 0;
    } else {
      // Half of it next time: whichever event it is that fails, it will soon fail alone.
      batchMax = keys.length >> 1 || 1;
      if (!isRefused) {
        setPause(response.headers?.get("retry-after"));
        report("retry", left, response.status);
        return arm();
      }
      if (!keys[1]) lose("refused", left, response.status);
    }
    return send(isSweep, mode);
  };

  const cycle = async (mode) => {
    trim();
    await (sent = Promise.all([sent, send(0, mode)]));
    const sweep = (lock) => lock && send(1, mode);
    // Without locks two pages may send the same event, which counts once.
    await (navigator.locks?.request("milepost", { ifAvailable: true }, sweep).catch(() => {}) ??
      sweep(1));
    return waiting().length;
  };

  const track = (eventName, what = {}) => {
    if (read(OFF)) return;
    const eventId = [Date.now().toString(36), ...crypto.getRandomValues(new Uint32Array(3))].join("-");
    const key = EVENT + eventId;
    const event = JSON.stringify({
      ...who,
      eventName,
      eventId,
      pathway_slug: what.pathway,
      course_slug: what.course,
      enrollment_source: what.source,
      payload: { module_slug: what.module, content_type: what.type, slug: what.slug, ts: new Date() },
    });
    if (bytesOf(event) > EVENT_BYTES_MAX) lose("size", [key]);
    else {
      mine.add(key);
      keep(key, event);
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
        if (event.as == null) keep(key, JSON.stringify({ ...event, ...who }));
      } catch {}
    }
    return cycle(HASTY);
  };

  const consent = (isGiven) => {
    if (isGiven) erase(OFF);
    else {
      write(OFF, 1);
      waiting().map(erase);
    }
    restore();
  };

  const leave = () => send(0, LEAVING);
  addEventListener("pagehide", leave);
  addEventListener("visibilitychange", () => (document.hidden ? leave() : cycle()));
  addEventListener("online", () => cycle(HASTY));
  if (allowed == null) restore();
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

// The demo page: buttons that call the client, a switch that takes the network away from it, and
// what the reader and HubSpot say, looked up again and again.
"use strict";

const TRACK = "/events/track";
const $ = (id) => document.getElementById(id);

/* The network switch: `fetch` to the track endpoint fails as it does without a network. It stands
   before the client starts, and shows what the client sends. */
const throughNetwork = window.fetch.bind(window);
window.fetch = async (url, options) => {
  if (!String(url).endsWith(TRACK)) return throughNetwork(url, options);
  const { events } = JSON.parse(options.body);
  try {
    if (!$("network").checked) throw new TypeError("Failed to fetch");
    const response = await throughNetwork(url, options);
    const { status } = await response.clone().json().catch(() => ({}));
    showRequest(events, status ?? `HTTP ${response.status}`, response.ok);
    return response;
  } catch (error) {
    showRequest(events, "no network", false);
    throw error;
  } finally {
    look(BUSY_MS);
  }
};

const client = milepost({ url: location.origin + TRACK });

/* Who the learner is, kept over reloads as a site's session would. */
function be(email) {
  sessionStorage.setItem("demo-email", email);
  $("email").value = email;
  shown.clear();
  client.identify({ email });
  look(BUSY_MS);
}

$("visitor").addEventListener("submit", (event) => {
  event.preventDefault();
  be($("email").value.trim());
});
$("somebody").addEventListener("click", () => {
  be(`learner-${Math.random().toString(36).slice(2, 7)}@example.com`);
});

for (const button of document.querySelectorAll("[data-call]")) {
  button.addEventListener("click", () => {
    const { pathway, course } = button.closest("[data-course]").dataset;
    const module = button.closest("[data-module]")?.dataset.module;
    client[button.dataset.call]({ pathway, course, module, source: module ? undefined : "demo" });
    look(BUSY_MS);
  });
}

$("network").addEventListener("change", () => {
  const isOn = $("network").checked;
  $("network-word").textContent = isOn ? "on" : "off";
  // What a browser does by itself when the network is back.
  if (isOn) window.dispatchEvent(new Event("online"));
});
$("consent").addEventListener("change", () => {
  const isGiven = $("consent").checked;
  $("consent-word").textContent = isGiven ? "given" : "withdrawn";
  client.consent(isGiven);
  showWaiting();
});

/* Looking: often for a while after something happened, else now and then. */
const BUSY_MS = 12_000;
const OFTEN_MS = 700;
const SELDOM_MS = 8_000;
let busyUntil = 0;
let timer;

function look(forMs = 0) {
  busyUntil = Math.max(busyUntil, Date.now() + forMs);
  showWaiting();
  clearTimeout(timer);
  timer = setTimeout(lookNow, forMs > 0 ? 150 : Date.now() < busyUntil ? OFTEN_MS : SELDOM_MS);
}

async function lookNow() {
  const email = encodeURIComponent(sessionStorage.getItem("demo-email"));
  const asked = async (path) => (await throughNetwork(`${path}?email=${email}`)).json();
  try {
    if (!document.hidden) {
      showContact(await asked("/demo/contact"));
      showProgress(await asked("/progress/read"));
    }
  } catch {
    $("contact-note").textContent = "the local stack does not answer";
  }
  look();
}

function showWaiting() {
  const waiting = Object.keys(localStorage).filter((key) => key.startsWith("milepost:")).length;
  const events = waiting === 1 ? "1 event waits" : `${waiting || "no"} events wait`;
  const lost = client.lost > 0 ? `, ${client.lost} given up` : "";
  $("waiting").textContent = `${events} in this browser${lost}`;
}

function showRequest(events, outcome, isGood) {
  const line = document.createElement("li");
  const names = events.map((event) => event.eventName.replace("learning_", "").replace("_", " "));
  const what = names.length > 2 ? `${names.length} events` : names.join(", ");
  line.append(Object.assign(document.createElement("span"), { textContent: what }));
  line.append(
    Object.assign(document.createElement("b"), { textContent: outcome, className: isGood ? "" : "bad" }),
  );
  const list = $("requests");
  if (list.firstElementChild?.className === "note") list.replaceChildren();
  list.prepend(line);
  while (list.children.length > 6) list.lastElementChild.remove();
}

/* Progress as the reader gives it: what a course page would show. */
function showProgress({ progress = {} }) {
  for (const item of document.querySelectorAll("[data-module]")) {
    const { pathway, course } = item.closest("[data-course]").dataset;
    const module = progress[pathway]?.courses?.[course]?.modules?.[item.dataset.module];
    const word = module?.completed ? "completed" : module?.started ? "started" : "";
    const at = module?.[`${word}_at`];
    item.className = word;
    const text = word ? `${word}${at ? ` at ${new Date(at).toLocaleTimeString()}` : ""}` : "not started";
    const small = item.querySelector("small");
    if (small.textContent !== text) small.textContent = text;
  }
  for (const article of document.querySelectorAll("[data-course]")) {
    const { pathway, course } = article.dataset;
    const state = progress[pathway]?.courses?.[course];
    const word = state?.completed ? "completed" : state?.enrolled ? "enrolled" : "";
    article.querySelector("header .note").textContent =
      `in ${pathway.replaceAll("-", " ")}${word ? `, ${word}` : ""}`;
  }
}

/* The contact's own properties, what changed marked for a moment. */
const shown = new Map();

function showContact(contact) {
  $("contact-note").textContent = contact ? `id ${contact.id}` : "nobody yet";
  const properties = Object.entries(contact?.properties ?? {}).filter(
    ([name, value]) => value !== "" && (name.startsWith("hhl_") || name === "lifecyclestage"),
  );
  // The state is long: what fits on a line comes first.
  const isLong = ([name]) => name === "hhl_progress_state";
  properties.sort((a, b) => isLong(a) - isLong(b));
  const rows = [];
  for (const [name, value] of properties) {
    const row = document.createElement("div");
    const term = Object.assign(document.createElement("dt"), { textContent: name });
    const data = document.createElement("dd");
    if (name === "hhl_progress_state") {
      const text = JSON.stringify(JSON.parse(value), null, 1);
      data.append(Object.assign(document.createElement("pre"), { textContent: text, tabIndex: 0 }));
    } else data.textContent = value.replaceAll(";", "; ");
    row.append(term, data);
    if (shown.size > 0 && shown.get(name) !== value) row.className = "fresh";
    rows.push(row);
  }
  const isSame = properties.length === shown.size && properties.every(([n, v]) => shown.get(n) === v);
  if (isSame && $("contact").children.length > 0) return;
  $("contact").replaceChildren(...rows);
  shown.clear();
  for (const [name, value] of properties) shown.set(name, value);
  setTimeout(() => rows.forEach((row) => row.classList.remove("fresh")), 900);
}

be(sessionStorage.getItem("demo-email") ?? "learner@example.com");

/* Refreshes the page in place: fetches it, and replaces the parts that have changed. The page works
   without it. */
"use strict";
const tools = document.getElementById("tools");
const everyMs = Number(tools.dataset.every) * 1000;
let timer;

const pause = document.createElement("button");
pause.className = "button";
pause.id = "pause";
tools.prepend(pause);

function setPaused(isPaused) {
  pause.setAttribute("aria-pressed", String(isPaused));
  pause.textContent = isPaused ? "Paused" : "Pause";
  clearTimeout(timer);
  if (!isPaused) refresh();
}
pause.addEventListener("click", () => setPaused(pause.getAttribute("aria-pressed") !== "true"));

async function refresh() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await renew();
  } catch {
    const standing = document.getElementById("standing");
    standing.textContent = "The console does not answer. The page shows its last answer.";
    standing.className = "standing bad";
  }
  if (pause.getAttribute("aria-pressed") !== "true") timer = setTimeout(refresh, everyMs);
}

async function renew() {
  const answer = await fetch("/", { credentials: "same-origin" });
  // The session has ended: show the log-in page.
  if (answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const shown = document.getElementById(fresh.id);
    if (shown && (shown.innerHTML !== fresh.innerHTML || shown.className !== fresh.className)) {
      replace(shown, fresh);
    }
  }
}

/* Keeps the focus and the scroll position of a table. */
function replace(shown, fresh) {
  const focused = shown.contains(document.activeElement) ? document.activeElement : null;
  const wide = shown.querySelector(".wide");
  const left = wide ? wide.scrollLeft : 0;
  shown.className = fresh.className;
  shown.replaceChildren(...fresh.childNodes);
  const again = shown.querySelector(".wide");
  if (again) again.scrollLeft = left;
  if (focused && focused !== shown) {
    const same = focused.id ? document.getElementById(focused.id) : again;
    (same || shown.querySelector("a, button") || document.body).focus({ preventScroll: true });
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && pause.getAttribute("aria-pressed") !== "true") refresh();
});
setPaused(false);

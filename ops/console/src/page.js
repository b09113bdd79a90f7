/* Looks again in place: asks for the page, and replaces the parts that have changed. Without it the
   page can be read and used all the same. */
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
  if (!isPaused) look();
}
pause.addEventListener("click", () => setPaused(pause.getAttribute("aria-pressed") !== "true"));

async function look() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await renew();
  } catch {
    const standing = document.getElementById("standing");
    standing.textContent = "The console does not answer. What is shown is the last that it said.";
    standing.className = "standing bad";
  }
  if (pause.getAttribute("aria-pressed") !== "true") timer = setTimeout(look, everyMs);
}

async function renew() {
  const answer = await fetch("/", { credentials: "same-origin" });
  // The session has ended: the log-in page is what there is to see.
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

/* Whoever stands on a button or has scrolled a table stays where they are. */
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
  if (!document.hidden && pause.getAttribute("aria-pressed") !== "true") look();
});
setPaused(false);

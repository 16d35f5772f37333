/** The browser script: reloads, local times, links of bars, the progress of a run, and copy buttons. All works without it. */
import { STRIP_SCRIPT_TEXT } from "./strip-script.ts";

export const SCRIPT_TEXT = `"use strict";
const REFRESH_MS = 60_000;
const STALE_MS = 15 * 60_000;

// A reload must not show the notice again.
const here = new URL(location.href);
if (here.searchParams.has("said")) history.replaceState(null, "", here.pathname + here.hash);

// What is shown is UTC, as in logs and alerts; what the clock on the wall said is one look away.
for (const time of document.querySelectorAll("time[datetime]"))
  time.title = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "long" }) + " (" + time.dateTime + ")";

for (const pre of document.querySelectorAll("pre[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected: copy it";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  pre.before(button);
}

let isBusy = false;
for (const form of document.querySelectorAll("form[data-progress]"))
  form.addEventListener("submit", (event) => {
    if (isBusy) return event.preventDefault();
    isBusy = true;
    const button = form.querySelector("button");
    const progress = document.createElement("progress");
    progress.setAttribute("aria-label", form.dataset.progress);
    form.append(progress);
    button.setAttribute("aria-disabled", "true");
    const startedAt = Date.now();
    const showSeconds = () => {
      button.textContent = form.dataset.progress + " \\u2026 " + Math.floor((Date.now() - startedAt) / 1000) + " s";
    };
    showSeconds();
    setInterval(showSeconds, 1000);
  });
// After the back button the browser may show the page as it was left.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

const isTyping = () =>
  [...document.querySelectorAll("input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
const loadedAt = Date.now();
let isOld = false;
setInterval(() => {
  const isReading = document.querySelector("details[open]") !== null;
  if ("reloads" in document.body.dataset && !isBusy && !isReading && !isTyping() && navigator.onLine) return location.reload();
  // An old page must not look green for ever.
  if (isOld || Date.now() - loadedAt < STALE_MS) return;
  isOld = true;
  const line = document.createElement("p");
  line.className = "stale-line";
  line.setAttribute("role", "alert");
  line.textContent = "This page was loaded over 15 minutes ago. Reload it for the current state.";
  document.querySelector("main").prepend(line);
  document.title = "\u25b2 old \u00b7 " + document.title;
}, REFRESH_MS);
${STRIP_SCRIPT_TEXT}`;

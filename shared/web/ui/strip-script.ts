/** The part of the browser script that makes each bar of a strip a link, and each strip one tab stop. */
export const STRIP_SCRIPT_TEXT = `
const STATES = { r: "red", u: "unknown", g: "green", o: "off", m: "not judged" };
const cyclesData = document.querySelector("[data-cycles]");
const unpack = (text, pattern, read) =>
  text.split(",").flatMap((part) => {
    const [, count, value] = pattern.exec(part);
    return Array(Number(count || 1)).fill(read(value));
  });
const inUtc = (ms) => new Date(ms).toISOString().slice(11, 16) + " UTC";
const localTime = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const plural = (count, word) => count.toLocaleString("en") + " " + word + (count === 1 ? "" : "s");

if (cyclesData) {
  const [start, ...entries] = cyclesData.dataset.cycles.split(",");
  const cycles = entries.map((entry) => {
    if (entry === "") return null;
    const [after, count = "1"] = entry.split("*");
    return { ms: Number(start) + parseInt(after, 36), count: Number(count) };
  });
  const hrefOf = ({ ms, count }) =>
    count === 1
      ? "/cycles/" + new Date(ms).toISOString()
      : "/cycles?until=" + new Date(Math.floor(ms / 60000 + 1) * 60000).toISOString().slice(0, 16) + "Z";
  for (const strip of document.querySelectorAll(".strip")) linkBars(strip, cycles, hrefOf);
}

function linkBars(strip, cycles, hrefOf) {
  const states = unpack(strip.dataset.bars, /^(\\d*)(\\w)$/, (letter) => STATES[letter]);
  const counts = strip.dataset.counts
    ? unpack(strip.dataset.counts, /^(\\d*)\\*(\\d+)$/, Number)
    : Array(states.length).fill(0);
  const linked = cycles.flatMap((cycle, i) => (cycle ? [i] : []));
  if (linked.length === 0) return;
  for (const link of strip.querySelectorAll(".spans > a")) link.tabIndex = -1;
  const tip = document.createElement("span");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  strip.append(tip);
  let link = null;
  const put = (bar) => {
    if (link?.dataset.bar === String(bar)) return;
    const cycle = cycles[bar];
    const words = [
      states[bar],
      ...(counts[bar] > 0 ? [plural(counts[bar], "violation")] : []),
      ...(cycle.count > 1 ? [plural(cycle.count, "cycle")] : []),
    ].join(", ");
    const time = inUtc(cycle.ms) + (localTime(cycle.ms) + " UTC" === inUtc(cycle.ms) ? "" : " (" + localTime(cycle.ms) + " local)");
    // A new element each time: a screen reader says the name of what gets the focus.
    const next = document.createElement("a");
    next.className = "at";
    next.href = hrefOf(cycle);
    next.dataset.bar = bar;
    next.setAttribute("aria-label", strip.dataset.of + " " + time + ": " + words);
    next.style.left = (100 * (bar + 0.5)) / states.length + "%";
    const hadFocus = link !== null && document.activeElement === link;
    strip.append(next);
    if (hadFocus) next.focus();
    link?.remove();
    link = next;
    tip.textContent = time + ", " + words;
  };
  put(linked.at(-1));
  const nearest = (x) => {
    const { left, width } = strip.getBoundingClientRect();
    const bar = Math.floor(((x - left) / width) * states.length);
    return linked.reduce((best, i) => (Math.abs(i - bar) < Math.abs(best - bar) ? i : best));
  };
  strip.addEventListener("pointermove", (event) => {
    // A finger covers many bars: it gets the links of two hours.
    if (event.pointerType !== "touch") put(nearest(event.clientX));
  });
  strip.addEventListener("keydown", (event) => {
    const at = linked.indexOf(Number(link.dataset.bar));
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: linked.length - 1, PageUp: at - 12, PageDown: at + 12 }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    put(linked[Math.min(Math.max(to, 0), linked.length - 1)]);
  });
}
`;

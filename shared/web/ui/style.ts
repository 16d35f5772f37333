/** The pages' style. Colours are pairs for light and dark: a contrast of 4.5 or more for text, of 3 for bars. */
export const STYLE_TEXT = `:root {
  color-scheme: light dark;
  --paper: light-dark(#f7f7f5, #131518);
  --card: light-dark(#ffffff, #1b1e22);
  --ink: light-dark(#1b1d20, #e7e8ea);
  --dim: light-dark(#5a6068, #a0a7b0);
  --line: light-dark(#e2e2dd, #2d3238);
  --link: light-dark(#0b57b0, #8ab8ff);
  --green: light-dark(#1a7f4b, #4cc38a);
  --red: light-dark(#c8321f, #ff7a6b);
  --unknown: light-dark(#8a5a00, #e8b04b);
  --off: light-dark(#5d646e, #98a0aa);
  --red-wash: light-dark(#fdf0ee, #2c1a1a);
  --amber-wash: light-dark(#fdf5e3, #2a2315);
  --bar-green: light-dark(#3f9a6c, #2f8a5d);
  --bar-unknown: light-dark(#b07a12, #c08f35);
  --bar-off: light-dark(#868c94, #6d7681);
  --bar-missing: light-dark(#868c94, #6d7681);
  --sign: light-dark(#ffffff, #16181b);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 0 20px 56px; max-width: 1180px;
  background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
ul, ol { list-style: none; }
h1 { font-size: 26px; line-height: 1.2; font-weight: 650; letter-spacing: -.01em; }
h2 { font-size: 13px; font-weight: 650; color: var(--dim); margin-bottom: 10px; }
h3 { font-size: 15px; font-weight: 550; }
a { color: var(--link); text-underline-offset: 2px; }
p, li, dd { overflow-wrap: anywhere; }
:is(p, dd, td) > a:not(.prose a) { display: inline-block; min-height: 24px; min-width: 24px; line-height: 24px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.dim, small, figcaption { color: var(--dim); }
small { font-size: 13px; font-weight: 400; }
.unseen, .skip:not(:focus) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.id, code, pre, .ids { font-family: var(--mono); font-size: .9em; }
section, nav { margin-top: 24px; }

.top { display: flex; justify-content: space-between; align-items: center; min-height: 56px; border-bottom: 1px solid var(--line); }
.top nav { display: flex; gap: 16px; margin: 0; }
.top nav a, .pager a, nav > a { display: inline-block; min-height: 24px; }
.pager { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 10px 0; }
main > .pager { margin-top: 24px; }
.goto { display: flex; align-items: end; flex-wrap: wrap; gap: 10px; margin-top: 14px; }
.goto label { flex: 0 1 240px; } .goto button { min-height: 36px; }
footer { display: flex; justify-content: space-between; align-items: center; gap: 12px; font-size: 14px; margin-top: 40px; padding-top: 14px; border-top: 1px solid var(--line); }
.home { min-height: 24px; display: flex; align-items: center; gap: 9px; color: inherit; text-decoration: none; font-size: 16px; }
.mark { width: 16px; height: 16px; flex: none; color: var(--off); }
.mark .fill { fill: currentColor; }
.mark .line { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; }
.mark .cut { fill: none; stroke: var(--sign); stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
.mark.green { color: var(--green); } .mark.red { color: var(--red); }
.mark.unknown, .mark.stale { color: var(--unknown); }
.state { display: inline-flex; white-space: nowrap; align-items: center; gap: 7px; font-weight: 600; color: var(--off); }
p > .state { vertical-align: top; }
.state.green { color: var(--green); } .state.red { color: var(--red); } .state.unknown { color: var(--unknown); }

.verdict { display: flex; align-items: center; gap: 16px; }
.verdict > .mark { width: 40px; height: 40px; }
.act { margin-inline-start: auto; }
.said form { display: inline; margin-inline-start: 12px; }
.said, .stale-line { margin-top: 20px; padding: 10px 14px; border: 1px solid var(--line); border-inline-start: 4px solid var(--green); border-radius: 6px; background: var(--card); }
.said.problem { border-inline-start-color: var(--red); background: var(--red-wash); }
.stale-line { display: flex; gap: 10px; border-inline-start-color: var(--unknown); background: var(--amber-wash); font-size: 16px; }
.stale-line .mark { margin-top: 4px; }

.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--dim); margin-top: 8px; }
.legend span { display: inline-flex; align-items: center; gap: 5px; }
.legend .bars { width: 7px; height: 14px; }
.rows { border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
.row:first-child { border-radius: 7px 7px 0 0; } .row:last-child { border-radius: 0 0 7px 7px; }
.row { display: grid; grid-template-columns: 160px minmax(0, 1fr) 140px 116px minmax(0, 292px); gap: 0 16px; align-items: center; padding: 10px 16px; }
.row + .row { border-top: 1px solid var(--line); }
.row.red { background: var(--red-wash); }
h3 a { display: inline-block; min-height: 24px; line-height: 24px; }
.judged { display: grid; grid-template-columns: 104px auto; align-items: center; }
.severity { font-size: 13px; color: var(--dim); }
.who { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; }
.row.red .severity.critical { color: var(--red); font-weight: 600; }
.since, .checked { font-size: 14px; white-space: nowrap; }
.words { grid-column: 2 / -1; font-size: 14px; display: grid; gap: 4px; }
.words:not(:empty) { padding: 4px 0 2px; }
.rows.plain .row { grid-template-columns: 108px minmax(0, 1fr) 112px; }
.names { display: flex; flex-wrap: wrap; gap: 4px 6px; }
.names li { border: 1px solid var(--line); border-radius: 4px; background: var(--paper); font: 13px/22px var(--mono); }
.names li > :is(a, bdi, em) { display: block; padding: 1px 7px; }
.names .more { border-color: transparent; background: none; color: var(--dim); font-family: inherit; padding-inline: 2px; }

.strip { position: relative; min-width: 0; }
.spans { position: absolute; inset: 0; display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); }
.spans a { overflow: hidden; text-indent: 100%; white-space: nowrap; }
.spans a:hover { background: color-mix(in srgb, var(--ink) 9%, transparent); border-radius: 3px; }
.strip .at { position: absolute; inset-block: -3px; width: 24px; margin-inline-start: -12px; }
.strip .at:focus-visible { outline: none; }
.strip .at:is(:hover, :focus-visible)::before { content: ""; position: absolute; inset: 0 10px; border-radius: 2px; background: color-mix(in srgb, var(--ink) 35%, transparent); }
.strip .at:focus-visible::before { outline: 2px solid var(--link); outline-offset: 1px; }
.strip .tip { position: absolute; inset-block-end: calc(100% + 5px); inset-inline-end: 0; padding: 1px 8px; border: 1px solid var(--line); border-radius: 4px; background: var(--card); font-size: 13px; white-space: nowrap; pointer-events: none; visibility: hidden; z-index: 1; }
.strip:is(:hover, :has(.at:focus-visible)) .tip { visibility: visible; }
.bars { display: block; width: 100%; height: 26px; overflow: visible; }
.one .bars { height: 44px; margin-top: 14px; }
.bar { fill: none; stroke-dasharray: .72 .28; }
.bar.red { stroke: var(--red); } .bar.unknown { stroke: var(--bar-unknown); } .bar.green { stroke: var(--bar-green); }
.bar.red, .bar.unknown { stroke-dasharray: none; }
.bar.off { stroke: var(--bar-off); } .bar.missing { stroke: var(--bar-missing); stroke-dasharray: none; }
.legend .bar { stroke-dasharray: none; }
.scale { display: flex; justify-content: space-between; font-size: 13px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 20px; }
.plot { min-width: 0; } .plot > svg { display: block; width: 100%; height: auto; margin-top: 4px; overflow: visible; }
.axes path { stroke: var(--line); stroke-width: 1; } .axes text { fill: var(--dim); font-size: 12px; }
.series { fill: none; stroke: var(--link); stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.series-1 { stroke: var(--red); stroke-dasharray: 5 4; } .series-2 { stroke: var(--green); stroke-dasharray: 1 4; }
.series-3 { stroke: var(--unknown); stroke-dasharray: 8 3 1 3; } .series-4 { stroke: var(--ink); } .series-5 { stroke: var(--dim); stroke-dasharray: 3 3; }
.legend svg { width: 22px; height: 8px; }
.days { height: 64px; } .day { stroke: var(--red); stroke-width: .7; fill: none; }
figcaption { font-size: 13px; margin-top: 4px; }

.cards { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; margin-top: 24px; align-items: start; }
.cards > section { margin: 0; padding: 14px 16px 16px; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
#silence { margin-top: 10px; }
#silence > p { margin-top: 10px; }
.facts { display: grid; gap: 2px; }
.facts > li { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 10px; padding: 4px 0; font-size: 14px; }
.facts > li + li { border-top: 1px solid var(--line); }
.facts > li > a:not(.quiet) { display: inline-block; line-height: 24px; }
.facts > li > p { flex-basis: 100%; }
.facts > li > span:not(.number, .state, .ids) { flex: 1 1 10em; min-width: 0; }
.facts > li > form { margin-inline-start: auto; }
.number { margin-inline-start: auto; white-space: nowrap; }
main > section > .facts, .violations { border: 1px solid var(--line); border-radius: 8px; background: var(--card); padding: 4px 16px; }

button { font: inherit; font-weight: 600; padding: 7px 14px; border: 1px solid var(--ink); border-radius: 6px; background: var(--ink); color: var(--paper); cursor: pointer; }
button:hover { opacity: .88; }
button[aria-disabled] { cursor: progress; opacity: .75; }
button.quiet, a.quiet, summary.quiet { padding: 2px 10px; min-height: 24px; border: 1px solid var(--line); border-radius: 6px; background: var(--card); color: var(--ink); font-size: 14px; font-weight: 500; text-decoration: none; }
a.quiet, summary.quiet { display: inline-block; justify-self: start; }
.quiet:hover { border-color: var(--dim); opacity: 1; }
progress { display: block; width: 100%; height: 4px; margin-top: 6px; accent-color: var(--link); }
input, select { font: inherit; font-weight: 400; width: 100%; min-height: 36px; padding: 5px 9px; border: 1px solid var(--off); border-radius: 6px; background: var(--paper); color: inherit; }
label { display: grid; gap: 3px; font-size: 14px; font-weight: 550; align-content: start; }
.fields { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; margin-top: 10px; }
.fields .wide { grid-column: 1 / -1; }
.fields button { justify-self: start; }
.prose { max-width: 76ch; margin-top: 12px; }
.prose > * + * { margin-top: 10px; } .prose h2 { margin: 26px 0 0; font-size: 17px; color: var(--ink); } .prose h3 { margin-top: 18px; }
.prose ul, .prose ol { padding-inline-start: 22px; } .prose ul { list-style: disc; } .prose ol { list-style: decimal; }
.prose li + li { margin-top: 4px; }
table { border-collapse: collapse; font-size: 14px; width: 100%; }
th, td { text-align: start; vertical-align: top; padding: 7px 10px; border: 1px solid var(--line); background: var(--card); overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 600; }
.label { font-size: 13px; font-weight: 600; color: var(--dim); }
.guidance { display: grid; gap: 10px; min-width: 0; padding: 8px 0 4px; font-size: 14px; }
.inline { display: flex; align-items: center; gap: 8px; flex-wrap: wrap; }
.command { font-size: 13px; margin-top: 8px; max-width: 100%; min-width: 0; }
.inline .command { margin-top: 0; }
summary { cursor: pointer; color: var(--dim); min-height: 24px; }
summary:hover { color: var(--ink); }
pre { margin: 6px 0 0; padding: 10px 12px; border: 1px solid var(--line); border-radius: 6px; background: var(--paper); white-space: pre-wrap; overflow-wrap: anywhere; text-align: start; line-height: 1.45; }
.copy { float: inline-end; margin: 12px 8px 0 8px; }
.violation { padding: 6px 0; }
.episode .head, .red-item .head { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 14px; font-size: 14px; }
.episode, .red-item { padding: 8px 0; } .episode .violation { padding: 2px 0; } .episode .head > a { line-height: 24px; display: inline-block; }
.red-item { display: grid; gap: 6px; min-width: 0; } .red-item .head { justify-content: space-between; font-size: 15px; }
.fold { margin-top: 16px; }
.violations > li + li { border-top: 1px solid var(--line); }
.violations { margin-top: 12px; }
.violation summary { color: inherit; font-size: 14px; }
.violation summary time { color: var(--dim); margin-inline-end: 10px; }
.violation summary .id { margin-inline-end: 10px; }
dl { display: grid; grid-template-columns: 140px minmax(0, 1fr); gap: 8px 16px; padding: 10px 0 8px; font-size: 14px; }
dt { color: var(--dim); }
dd pre { margin: 0; }
.sign-in { max-width: 380px; margin: 12vh auto 0; padding: 24px; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
.sign-in form { display: grid; gap: 14px; margin-top: 16px; }
.sign-in h1 { font-size: 21px; }

@media (max-width: 860px) {
  .row { grid-template-columns: minmax(0, 1fr) auto; gap: 4px 12px; }
  .row h3 { grid-column: 1; grid-row: 1; }
  .judged { grid-column: 2; grid-row: 1; grid-template-columns: auto; justify-items: end; }
  .row .strip, .words { grid-column: 1 / -1; }
  .rows.plain .row { grid-template-columns: minmax(0, 1fr) auto; }
  .since { color: var(--dim); }
  .cards { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 560px) {
  body { padding: 0 14px 40px; }
  .bar { stroke-dasharray: none; }
  .verdict { flex-wrap: wrap; gap: 12px; }
  .verdict > div:first-of-type { flex: 1; }
  .verdict h1 { font-size: 23px; }
  .act { width: 100%; }
  .act button { width: 100%; }
  .prose thead { position: absolute; clip-path: inset(50%); }
  .prose tr { display: block; border: 1px solid var(--line); background: var(--card); padding: 6px 10px; } .prose tr + tr { margin-top: 8px; }
  .prose td { display: block; border: 0; padding: 2px 0; background: none; }
  .prose td::before { content: attr(data-of) ": "; color: var(--dim); }
  .fields, dl { grid-template-columns: minmax(0, 1fr); }
  dt { margin-bottom: -6px; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
`;

/** The violations of an invariant over 90 days, as bars. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { counted } from "./texts.ts";

/** The number of violations on each day. Nothing where there was none. */
export function Days({ days }: { days: readonly { readonly day: string; readonly count: number }[] }) {
  const most = Math.max(1, ...days.map(({ count }) => count));
  const total = days.reduce((sum, { count }) => sum + count, 0);
  const withSome = days.filter(({ count }) => count > 0);
  if (total === 0) return null;
  const words = `${counted(total, "violation")} on ${withSome.length} of 90 days, the last on ${withSome.at(-1)!.day}, most ${most.toLocaleString("en")} a day`;
  const path = days
    .map(({ count }, i) => (count > 0 ? `M${i} 40V${(39 - (36 * count) / most).toFixed(1)}` : ""))
    .join("");
  return (
    <figure>
      <svg class="bars days" viewBox="-0.5 0 90 40" preserveAspectRatio="none" role="img" aria-label={words}>
        <path class="bar missing" d="M-.5 39.5h90" stroke-width="1" />
        {path && <path class="day red" d={path} />}
      </svg>
      <figcaption>{words}</figcaption>
    </figure>
  );
}

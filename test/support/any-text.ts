import fc from "fast-check";

/** The code points that are half of a pair in UTF-16, and stand alone in no text. */
const [HALVES, AFTER_HALVES, LAST] = [0xd800, 0xe000, 0x10ffff];

const codePoint = fc.integer({ min: 0, max: LAST - (AFTER_HALVES - HALVES) }).map(
  (n) => String.fromCodePoint(n < HALVES ? n : n + AFTER_HALVES - HALVES),
  (char) => {
    const point = typeof char === "string" && char !== "" ? char.codePointAt(0)! : -1;
    if (point < 0 || String.fromCodePoint(point) !== char) throw new Error("it is no code point");
    return point < HALVES ? point : point - (AFTER_HALVES - HALVES);
  },
);

/** The unit of texts of any code points. fast-check's "binary" has the same, and takes seconds to make a table of all. */
export const ANY_CHARACTER: fc.Arbitrary<string> = codePoint;

/** Where the built command line is. */

/** One file. Copied elsewhere, it still runs whatever asks a canary. */
export const BUILT = new URL("../../bin/canary.mjs", import.meta.url);

/** The paths that it was made of, one on a line. */
export const INPUTS = new URL("../../bin/canary.inputs", import.meta.url);

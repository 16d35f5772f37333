export const BUILT: URL;
export const INPUTS: URL;

/** Takes a function that ends one part. They are called in reverse order. */
export type OnClose = (end: () => Promise<void>) => void;

/** How many containers of many daemons are seen: by readers side by side, and by one process in successive cycles. */
export interface DaemonsReport {
  /** 100 daemons with 50 containers each, by readers. */
  readonly readers: { readonly seen: number; readonly ms: number } | null;
  /** 40 daemons with 50 containers each, in one process: the containers seen up to each of three cycles. */
  readonly oneProcess: { readonly seen: readonly number[]; readonly outOfDescriptors: number } | null;
}

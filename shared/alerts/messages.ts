/** Which of the alerts that wait go into one message. Pure. */
import type { Channel, Pending } from "./alert.ts";
import type { Transport } from "./channels/channel.ts";

/**
 * Groups the entries that wait for a channel, oldest first. Two that open or end the same thing are never in one message,
 * except where all of a cycle are: in parts, a channel could take the second and not the first.
 * @param transport undefined where the channel is not in use any more
 */
export function messagesOf<E extends Pending>(
  waiting: readonly E[],
  channel: Channel,
  transport: Pick<Transport, "together"> | undefined,
): E[][] {
  const together = transport?.together ?? 1;
  const messages: E[][] = [];
  let open: E[] = [];
  for (const entry of waiting) {
    const isAlone = entry.channels[channel]?.alone === true;
    if (isAlone || open.length === 0 || !fits(entry, open, together)) {
      const message = [entry];
      messages.push(message);
      // One that goes alone does not end the message of its cycle.
      if (!isAlone) open = message;
    } else open.push(entry);
  }
  return messages;
}

const fits = (entry: Pending, message: readonly Pending[], together: Transport["together"]): boolean =>
  together === "cycle"
    ? message[0]!.createdAtMs === entry.createdAtMs
    : message.length < together && !message.some(({ alert }) => alert.dedupKey === entry.alert.dedupKey);

/** A shell command that does what the page does. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { useMayChange, useViewer } from "./context.ts";
import { curl } from "./texts.ts";

interface CommandProps {
  readonly name: string;
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: object;
}

/** The command, folded away; none where the viewer's token would be refused. JavaScript adds a button that copies it. */
export const Command = ({ name, method = "GET", path, body }: CommandProps) =>
  method === "GET" || useMayChange() ? (
    <details class="command">
      <summary>{name}</summary>
      <pre data-copy>{curl(useViewer(), method, path, body)}</pre>
    </details>
  ) : null;

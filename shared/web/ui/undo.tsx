/** The button that restores a silence which has just been ended. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { useMayChange } from "./context.ts";
import { FormToken } from "./form-token.tsx";

/** @param undo the silence, as the redirect carries it: signed */
export const RestoreSilence = ({ undo }: { undo: string }) =>
  useMayChange() ? (
    <form method="post" action="/silences/restore" class="inline">
      <FormToken />
      <input type="hidden" name="undo" value={undo} />
      <button type="submit" class="quiet">
        Undo
      </button>
    </form>
  ) : null;
